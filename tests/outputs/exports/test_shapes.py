"""What becomes of rows of a view on their way to a trainer, and which cannot go."""

from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from talks import talk
from trainer_samples import write

from outputs.exports import shapes
from outputs.exports.lines import collabllm
from outputs.views.reading import view_tables
from schemas.dialogue import Turn
from schemas.judgement import RewardValue, Selection
from schemas.record import Record
from schemas.scenario import Fact, View


def record(*said: tuple[str, str] | Turn, name: str = "d0", **given: Any) -> Record:
    """A successful dialogue of a student and a teacher."""
    fact = Fact(id="n", holder="teacher", slot="how many", value="3", text="There are three.")
    views = [View(role="teacher", brief="", facts=(fact,)), View(role="student", brief="")]
    dialogue = talk(*said, sides=("student", "teacher"), name=name, views=views)
    dialogue = dialogue.model_copy(update={"outcome": {"success": True}})
    return Record(dialogue=dialogue, split="train", selection=Selection(keep=True), **given)


def sft(folder: Path, *records: Record) -> pa.Table:
    return pa.concat_tables(view_tables("sft", write(folder / "x.parquet", records), folder))


TALK = (("teacher", "How much?"), ("student", "How many are there?"), ("teacher", "Three."), ("student", "12."))
CLAIRVOYANT = Turn(role="student", text="How many are there?", labels={"clairvoyant": True})
PATIENT = (("teacher", "Hm."), ("teacher", "How much?"), ("student", "12."))
OPENED = (("student", "Hello!"), ("teacher", "How much?"), ("student", "12."))


def test_a_turn_that_opens_the_dialogue_has_no_prompt_and_goes_to_no_trainer(tmp_path: Path):
    lost = Counter[str]()
    made = shapes.trl_sft(sft(tmp_path, record(*OPENED)), lost).to_pylist()
    assert [row["completion"][0]["content"] for row in made] == ["12."]
    assert lost == {"no_prompt": 1}


def test_chat_lines_hold_a_dialogue_each_and_weigh_nothing_what_is_not_to_be_learnt(tmp_path: Path):
    seen = record(TALK[0], CLAIRVOYANT, *TALK[2:], name="d1")
    first, second = shapes.openai(sft(tmp_path, record(*TALK), seen), Counter())
    assert first["messages"] == [
        {"role": "user", "content": "How much?"},
        {"role": "assistant", "content": "How many are there?"},
        {"role": "user", "content": "Three."},
        {"role": "assistant", "content": "12."},
    ]
    assert [m.get("weight") for m in second["messages"]] == [None, 0, None, None]


def test_a_dialogue_ends_with_the_last_turn_to_learn(tmp_path: Path):
    (row,) = shapes.verl_sft(sft(tmp_path, record(*TALK, ("teacher", "Right."))), Counter()).to_pylist()
    assert [m["content"] for m in row["messages"]] == [text for _, text in TALK]


@pytest.mark.parametrize("shape", [shapes.verl_sft, shapes.sharegpt])
def test_who_learns_all_of_a_dialogue_gets_none_with_a_turn_not_to_learn(tmp_path: Path, shape: Any):
    lost = Counter[str]()
    made = shape(sft(tmp_path, record(TALK[0], CLAIRVOYANT, *TALK[2:])), lost)
    assert len(made) == 0 and lost == {"turn_not_to_learn": 1}


def test_sharegpt_takes_turns_and_lets_the_person_begin(tmp_path: Path):
    lost = Counter[str]()
    (row,) = shapes.sharegpt(sft(tmp_path, record(*PATIENT), record(*OPENED, name="d1")), lost)
    assert row["conversations"] == [{"from": "human", "value": "Hm.\nHow much?"}, {"from": "gpt", "value": "12."}]
    assert lost == {"opened_by_learner": 1}


def test_stepwise_prompts_are_spelled_as_the_steps_are():
    messages = [{"role": "user", "content": "How much?"}, {"role": "assistant", "content": "Hm."}]
    rows = pa.table({"prompt": [messages, [], messages[:1]], "completions": [["a"]] * 3, "labels": [[True]] * 3})
    assert shapes.trl_prm(rows, Counter())["prompt"].to_pylist() == [
        "user: How much?\nassistant: Hm.",
        "",
        "user: How much?",
    ]


def rated(turn: int, *means: float | None) -> RewardValue:
    parts = {"candidates": [{"text": f"Candidate {n}?", "mr_mean": mean} for n, mean in enumerate(means)]}
    return RewardValue(name="multiturn_aware", scope="turn", turn=turn, value=means[0], parts=parts)


def test_collabllm_rows_are_the_candidates_of_a_rated_turn_and_the_words_of_the_others():
    rows = list(collabllm(record(*TALK, rewards=(rated(1, 0.5, None, 0.25),)), frozenset({"facts"})))
    assert [(r["completion"], r["score"], r["turn_id"]) for r in rows] == [
        ("Candidate 0?", 0.5, 1),
        ("Candidate 2?", 0.25, 1),
        ("12.", 1.0, 3),
    ]
    assert [r["single_turn_metadata"]["score_is"] for r in rows] == ["multiturn_aware", "multiturn_aware", "success"]
    assert {r["single_turn_prompt"] for r in rows} == {"How much? There are three."}


def test_collabllm_rows_are_of_published_dialogues_alone():
    dropped = record(*TALK).model_copy(update={"selection": Selection(keep=False, reason="x")})
    assert list(collabllm(dropped, frozenset({"facts"}))) == []
