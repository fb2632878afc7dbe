"""Grader files, what a judge's answers become, and when their values count."""

from pathlib import Path
from typing import Any

import pytest
from played import Embedder
from scripted_judge import grader
from talks import talk

from pipelines.recipe_errors import lines
from pipelines.recipe_stages import build
from rewards.grading import Calibration, Grader, Measured, read_grader, written
from rewards.judged import Judged
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, Reward, Services
from schemas.dialogue import Dialogue
from schemas.errors import ContentError, DataError, InvalidOutput
from schemas.judgement import RewardValue

GRADERS = Path(__file__).parents[2] / "recipes" / "graders"


class Judge:
    """Gives these answers, one a call: the number of a choice, or a fault."""

    def __init__(self, *answers: int | ContentError, logprob: float | None = -0.25):
        self.answers = list(answers)
        self.asked: list[ChatRequest] = []
        self._logprob = logprob

    async def ask(self, request: ChatRequest) -> ChatReply:
        answer = self.answers[len(self.asked)]
        self.asked.append(request)
        if isinstance(answer, ContentError):
            raise answer
        known = {"data": answer, "logprob": self._logprob}
        return ChatReply(str(answer), "reader", "stop", prompt_tokens=9, completion_tokens=1, **known)


LESSON = talk(
    ("teacher", "How many apples are left?"),
    ("student", "Nine?"),
    ("teacher", "Count the eaten ones."),
    ("student", "Seven!"),
    sides=("student", "teacher"),
)


async def judged(path: Path, judge: Judge, dialogue: Dialogue = LESSON, **fields: Any) -> list[RewardValue]:
    services = Services(chat={JUDGE: judge}, embed=Embedder())
    return await Judged(grader=path, **fields).annotate(dialogue, services)


def measured(path: Path, low: float = 0.6, **changes: Any) -> Calibration:
    """Of the grader in a file, as if measured."""
    known = read_grader(path)
    figure = Measured(value=0.8, low=low, high=0.9, n=40)
    about: dict[str, Any] = {"judges": known.judges, "model": "reader", "prompt_hash": known.prompt_hash}
    rest: dict[str, Any] = dict.fromkeys(("kappa", "spearman", "ece", "people_accuracy", "people_kappa"))
    sizes: dict[str, Any] = {"rows": {"test": 40}, "missing": {}, "sampling": {}, "labels": "0" * 64}
    return Calibration(**{**about, **rest, **sizes, "accuracy": figure, "majority": 0.5, "by_length": 0.4, **changes})


def calibrated(folder: Path, low: float = 0.6, **changes: Any) -> Path:
    path = grader(folder)
    known = read_grader(path).model_copy(update={"calibration": measured(path, low, **changes)})
    (folder / "calibrated.yaml").write_text(written(known))
    return folder / "calibrated.yaml"


async def test_each_turn_of_the_side_that_is_judged_gets_the_value_of_the_answer(tmp_path: Path):
    values = await judged(calibrated(tmp_path), judge := Judge(1, 2))
    assert [(v.name, v.scope, v.turn, v.value, v.reason) for v in values] == [
        ("guidance", "turn", 0, 1.0, None),
        ("guidance", "turn", 2, 0.5, None),
    ]
    assert values[1].parts["label"] == "some" and values[1].parts["confidence"] == pytest.approx(0.7788, abs=1e-4)
    assert "guidance v1 reader" in values[0].grader and "temperature=0 repeats=1" in values[0].grader
    last = judge.asked[1].messages[-1].content
    assert "Student: Nine?" in last and "To judge:\nTeacher: Count the eaten ones." in last and "Seven!" not in last
    assert all(r.json_schema == {"type": "integer", "enum": [1, 2, 3]} and r.logprobs for r in judge.asked)


async def test_without_a_calibration_the_value_is_none_and_the_score_a_part_unless_the_recipe_allows_it(tmp_path: Path):
    path = grader(tmp_path)
    values = await judged(path, Judge(1, 3))
    assert [(v.value, v.reason, v.parts["score"]) for v in values] == [
        (None, "uncalibrated", 1),
        (None, "uncalibrated", 0),
    ]
    allowed = await judged(path, Judge(1, 3), allow_uncalibrated=True)
    assert [(v.value, v.reason, v.parts["calibrated"]) for v in allowed] == [(1.0, None, False), (0.0, None, False)]


@pytest.mark.parametrize(
    ("low", "changes"),
    [
        (0.5, {}),
        (0.6, {"by_length": 0.7}),
        (0.6, {"model": "another"}),
        (0.6, {"judges": "tone"}),
        (0.6, {"prompt_hash": "another"}),
        (0.6, {"accuracy": None}),
    ],
    ids=["no better than the majority", "length does better", "model", "construct", "prompt", "no answer"],
)
async def test_a_calibration_of_anything_else_or_no_better_than_no_reading_is_none(
    tmp_path: Path, low: float, changes: dict[str, Any]
):
    values = await judged(calibrated(tmp_path, low, **changes), Judge(1, 1))
    assert {v.reason for v in values} == {"uncalibrated"}


async def test_a_calibrated_prompt_that_is_changed_counts_no_longer(tmp_path: Path):
    known = read_grader(calibrated(tmp_path))
    for change in ({"notes": ("Be strict.",)}, {"context": 2}, {"question": "Does it?"}, {"of": "learner"}):
        assert not known.model_copy(update=change).calibrated("reader")
    assert known.calibrated("reader") and known.model_copy(update={"version": 9}).calibrated("reader")


async def test_an_answer_that_cannot_be_read_is_none_with_its_reason_and_of_several_the_rest_counts(tmp_path: Path):
    bad = InvalidOutput("?", "invalid_json")
    one = await judged(grader(tmp_path), Judge(bad, 1), allow_uncalibrated=True)
    assert [(v.value, v.reason, v.n) for v in one] == [(None, "invalid_json", 0), (1.0, None, 1)]
    path = grader(tmp_path, repeats=3, temperature=0.7)
    several = await judged(path, judge := Judge(1, bad, 3, 2, 2, 1), allow_uncalibrated=True)
    assert [(v.value, v.n, v.parts["label"]) for v in several] == [(0.5, 2, "full"), (pytest.approx(2 / 3), 3, "some")]
    assert several[0].parts["missing"] == ("invalid_json",) and several[1].parts["confidence"] == pytest.approx(2 / 3)
    assert len({r.seed for r in judge.asked}) == 6 and {r.key.attempt for r in judge.asked} == {0, 1, 2}


async def test_a_whole_dialogue_is_judged_once_and_choices_without_an_order_have_no_value(tmp_path: Path):
    choices = [{"name": "ask"}, {"name": "tell"}]
    path = grader(tmp_path, scope="dialogue", choices=choices)
    [value] = await judged(path, judge := Judge(2), allow_uncalibrated=True)
    assert (value.scope, value.turn, value.value, value.reason) == ("dialogue", None, None, "no_order")
    assert value.parts["label"] == "tell" and "Seven!" in judge.asked[0].messages[-1].content


async def test_what_everybody_was_given_to_read_is_not_judged_and_a_share_of_the_turns_is_drawn(tmp_path: Path):
    views = [v.model_copy(update={"public": LESSON.turns[0].text}) for v in LESSON.scenario.views.values()]
    scenario = LESSON.scenario.model_copy(update={"views": {v.role: v for v in views}})
    posed = LESSON.model_copy(update={"scenario": scenario})
    assert [v.turn for v in await judged(grader(tmp_path), Judge(1), posed)] == [2]
    drawn = await judged(grader(tmp_path), Judge(1, 1), share=1e-9)
    assert {v.reason for v in drawn} == {"not_drawn"}


async def test_without_a_grader_or_a_judge_there_is_a_reason(tmp_path: Path):
    nobody = Services(chat={}, embed=Embedder())
    [value] = await Judged(grader=grader(tmp_path)).annotate(LESSON, nobody)
    assert (value.name, value.value, value.reason) == ("guidance", None, "no_judge")
    [value] = await Judged().annotate(LESSON, nobody)
    assert (value.value, value.reason) == (None, "no_grader")


def test_examples_and_notes_stand_before_the_case_and_change_the_prompts_hash(tmp_path: Path):
    plain = read_grader(grader(tmp_path))
    path = grader(
        tmp_path, notes=["Praise is no help."], examples=[{"context": ["a", "b"], "text": "t", "label": "none"}]
    )
    made = read_grader(path)
    messages = made.messages(["one", "two"], "three")
    assert [m.role for m in messages] == ["system", "user", "assistant", "user"] and messages[2].content == "3"
    assert "Praise is no help." in messages[0].content and "one\ntwo" in messages[-1].content
    assert made.prompt_hash != plain.prompt_hash
    assert read_grader(grader(tmp_path)).prompt_hash == plain.prompt_hash


def test_a_grader_survives_being_written_and_read(tmp_path: Path):
    path = calibrated(tmp_path)
    again = tmp_path / "again.yaml"
    again.write_text(written(read_grader(path)))
    assert read_grader(again) == read_grader(path) and read_grader(again).calibrated("reader")
    (tmp_path / "grader.json").write_text(read_grader(path).model_dump_json())
    assert read_grader(tmp_path / "grader.json") == read_grader(path)


@pytest.mark.parametrize("path", sorted(GRADERS.glob("*.yaml")), ids=lambda p: p.stem)
def test_the_graders_beside_the_recipes_are_named_as_what_they_judge(path: Path):
    assert read_grader(path).judges == path.stem


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"choises": []}, "choises: no such key; did you mean 'choices'?"),
        (
            {"choices": [{"name": "yes", "vaule": 1}, {"name": "no"}]},
            "choices.0.vaule: no such key; did you mean 'value'?",
        ),
        ({"question": ""}, "question: String should have at least 1 character"),
        ({"judges": "Good Help"}, "judges: String should match pattern"),
        ({"choices": [{"name": "yes"}]}, "choices: Tuple should have at least 2 items"),
        ({"choices": [{"name": "yes"}, {"name": "yes"}]}, "choices: two have one name"),
        ({"choices": [{"name": "yes", "value": 1}, {"name": "no"}]}, "choices: some have a value and some have none"),
        ({"examples": [{"text": "t", "label": "ful"}]}, "examples[0].label: no choice 'ful'; did you mean 'full'?"),
        ({"repeats": 3}, "repeats: at temperature 0 all answers are one"),
    ],
)
def test_a_wrong_grader_is_told_in_one_line_with_file_and_field(tmp_path: Path, changes: dict[str, Any], told: str):
    path = grader(tmp_path, **changes)
    with pytest.raises(DataError) as raised:
        read_grader(path)
    assert str(raised.value).startswith(f"{path}: {told}") and "\n" not in str(raised.value)
    with pytest.raises(Exception) as refused:
        build({"use": "rewards.judged.Judged", "grader": str(path)}, Reward)
    assert told in lines(refused.value, Judged)[0][1]  # pyright: ignore


def test_a_grader_that_is_not_there_or_no_yaml_is_told(tmp_path: Path):
    with pytest.raises(DataError, match="cannot be read"):
        read_grader(tmp_path / "absent.yaml")
    (tmp_path / "broken.yaml").write_text("{")
    with pytest.raises(DataError, match="neither YAML nor JSON"):
        read_grader(tmp_path / "broken.yaml")


def test_the_hash_of_a_graders_prompt_stays_what_it_is():
    """A calibration names it: a change here makes every measured grader uncalibrated."""
    made = Grader.model_validate({**read_grader(GRADERS / "stop.yaml").model_dump(), "version": 2})
    assert made.prompt_hash == read_grader(GRADERS / "stop.yaml").prompt_hash == "a225aa9def153fceba40833eb270d103"
