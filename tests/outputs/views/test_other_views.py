"""Turns, prompts, single judged messages, steps, silences, hindsight, and the teacher's view: what each row holds."""

import orjson
import pytest
from corpus_samples import to_table
from view_samples import of_turn, own, record, texts, view_rows

from outputs.views.public import PUBLIC, public
from outputs.views.registry import PUBLISHED, VIEWS
from schemas.dialogue import Turn
from schemas.judgement import RewardValue
from schemas.scenario import Verifier

QUIET = Turn(role="teacher", kind="silence")


def test_every_view_is_documented_column_by_column():
    assert [name for name in VIEWS if name not in PUBLISHED] == ["distillation", "thoughts"]
    assert all(VIEWS[name].private == (name not in PUBLISHED) for name in VIEWS)
    for view in VIEWS.values():
        assert view.row.endswith(".")
        assert len({c.name for c in view.columns}) == len(view.columns)
        for column in view.columns:
            assert column.meaning.endswith(".") and column.source, (view.name, column.name)
        assert {"dialogue_id", "group_id", "base_case_id", "family", "policy", "split"} <= set(view.schema.names)
        assert set(view.needs) <= set(PUBLIC.names)


@pytest.mark.parametrize("name", VIEWS)
def test_of_no_dialogues_and_of_one_in_which_nothing_was_said_there_are_no_rows(name: str):
    assert view_rows(name, []) == []
    assert view_rows(name, [record()]) == []


def test_a_turn_is_a_row_with_its_place_its_flags_and_its_rewards():
    rewards = [of_turn("gain", 1, 0.5, secret="forty"), of_turn("late", 9, 1.0), RewardValue(name="whole", value=1.0)]
    asked = own("How many?", labels={"clairvoyant": False, "says": "x"}, acts=("ask",), intent_detected="ask")
    rows = view_rows("turns", [record("Hi.", asked, QUIET, own(None), rewards=rewards), record("Gone.", keep=False)])
    assert [(r["turn"], r["message"], r["role"], r["kind"]) for r in rows] == [
        (0, 0, "user", "utterance"),
        (1, 1, "assistant", "utterance"),
        (2, None, "user", "silence"),
        (3, None, "assistant", "silence"),
    ]
    assert (rows[1]["acts"], rows[1]["clairvoyant"], rows[1]["question_substituted"]) == (["ask"], False, None)
    assert [(r["name"], r["value"]) for r in rows[1]["rewards"]] == [("gain", 0.5)]
    assert all(r["rewards"] == [] for r in rows if r["turn"] != 1)


def test_a_prompt_is_once_in_its_group_with_its_answer_beside_it():
    verifier = Verifier(kind="number", answer="12")
    one = record("How much?", "Of what?", "Pencils.", "12", name="a", verifier=verifier)
    other = record("How much?", "12", name="b", verifier=verifier)
    elsewhere = record("How much?", "7", name="c", group="other")
    rows = view_rows("prompts", [one, other, elsewhere])
    assert [(r["dialogue_id"], len(r["prompt"]), r["opening"], r["ground_truth"]) for r in rows] == [
        ("a", 1, True, "12"),
        ("a", 3, False, "12"),
        ("c", 1, True, None),
    ]
    assert orjson.loads(rows[0]["verifier"])["kind"] == "number" and rows[0]["data_source"] == "overture/test"


def test_a_prompt_is_never_empty():
    (row,) = view_rows("prompts", [record(own("Hello."), Turn(role="teacher", text="Hi."), own("And?"))])
    assert texts(row["prompt"]) == ["Hello.", "Hi."] and row["opening"] is False


def test_a_judged_turn_has_its_label_and_where_none_was_judged_the_last_one_has_success():
    judged = [of_turn("stop_decision", 1, 1.0), of_turn("stop_decision", 3, 0.0)]
    rows = view_rows(
        "unpaired", [record("a", "b?", "c", "d", rewards=judged), record("a", "x", "c", "y", success=False)]
    )
    assert [(texts(r["completion"]), r["label"], r["reward"], r["questions"]) for r in rows] == [
        (["b?"], True, "stop_decision", 1),
        (["d"], False, "stop_decision", 0),
        (["y"], False, "success", 0),
    ]
    assert view_rows("unpaired", [record("a", "b", success=None)]) == []


@pytest.mark.parametrize("name", ["unpaired", "stepwise"])
def test_to_answer_when_it_was_due_is_not_good_where_the_answer_is_wrong(name: str):
    due = [of_turn("stop_decision", 1, 1.0)]
    right, off = (record("a", own("12", answer="12", answer_correct=c), rewards=due) for c in (True, False))
    assert [r.get("labels") or [r["label"]] for r in view_rows(name, [right, off])] == [[True], [False]]


@pytest.mark.parametrize(("name", "marks"), [("unpaired", [2, 2]), ("silence", [1, 0]), ("hindsight", [1])])
def test_a_label_is_held_against_what_does_not_give_it_away(name: str, marks: list[int]):
    """Whether it spoke or asks is to be seen in its words, so there it is what was said before."""
    told = [of_turn("learn_to_ask", 1, 1.0, decision="continue", decision_truth="continue")]
    asked = own("Is it 12? Or 13?", decision="speak")
    view = VIEWS[name]
    assert view.features is not None
    rows = view.rows(public(to_table([record("How many?", asked, rewards=told), record(asked)]), view.needs))
    found = view.features(rows)
    assert found.ours["question_marks"].tolist() == marks
    assert found.theirs is None and found.good.all()


def test_steps_end_with_the_learners_decisions_and_hold_what_was_said_between():
    judged = [of_turn("stop_decision", n, value) for n, value in ((1, 1.0), (3, None), (5, 0.0))]
    (row,) = view_rows("stepwise", [record("q", "Which?", "a", "I see.", "b", "12", "no", rewards=judged)])
    assert texts(row["prompt"]) == ["q"]
    assert row["completions"] == ["assistant: Which?", "user: a\nassistant: I see.\nuser: b\nassistant: 12"]
    assert (row["labels"], row["turns"], row["reward"]) == ([True, False], [1, 5], "stop_decision")


def test_speaking_is_a_choice_where_the_learner_could_have_stayed_silent():
    spoke = own("The bill is 12.", decision="speak")
    rows = view_rows("silence", [record("a", own(None), "b", spoke, "c", own("Bye.", decision="answer"))])
    assert [(len(r["prompt"]), r["speak"], texts(r["completion"])) for r in rows] == [
        (1, False, []),
        (2, True, ["The bill is 12."]),
    ]


def test_hindsight_says_what_was_due_in_dialogues_that_reached_their_goal():
    told = [
        of_turn("learn_to_ask", 1, 1.0, decision="continue", decision_truth="continue", info_truth=["f1"]),
        of_turn("learn_to_ask", 3, 0.0, decision="stop", decision_truth="continue"),
        of_turn("learn_to_ask", 5, None, decision=None, decision_truth="stop"),
    ]
    talk = ("q", "Which?", "a", "12", "no", "Bye.")
    rows = view_rows("hindsight", [record(*talk, rewards=told), record(*talk, rewards=told, success=False)])
    assert [(r["turn"], r["decision"], r["asks"], r["right"]) for r in rows] == [
        (1, "continue", True, True),
        (3, "continue", False, False),
    ]
    assert texts(rows[0]["completion"]) == ["Which?"]


def test_the_teachers_view_has_a_system_message_before_the_same_words():
    changed = of_turn("state_transition", 1, 0.25)
    (row,) = view_rows("distillation", [record("q", "Which?", rewards=[changed])])
    assert row["view_public"] == [{"role": "user", "content": "q"}]
    assert row["view_privileged"][0]["role"] == "system" and row["view_privileged"][1:] == row["view_public"]
    assert (texts(row["completion"]), row["state_transition"], row["turn"]) == (["Which?"], 0.25, 1)
    assert view_rows("distillation", [record("q", "Which?", keep=False)]) == []


def test_a_thought_is_beside_what_was_said_or_withheld():
    thought = {"type": "slow", "text": "Say it.", "score_raw": 4.0, "score_adj": 4.1, "selected": True, "stimuli": []}
    spoke = {"thoughts": [thought], "decision": "speak", "spoke": True, "floor": "mine", "turns_silent": 0}
    quiet = {**spoke, "decision": "silent", "spoke": False, "turns_silent": 2}
    rewards = [of_turn("intrinsic_motivation", 1, 4.1, **spoke), of_turn("intrinsic_motivation", 3, 4.1, **quiet)]
    said, withheld = view_rows("thoughts", [record("q", "It is 12.", "b", own(None), rewards=rewards)])
    assert (texts(said["prompt"]), texts(said["completion"]), said["speak"]) == (["q"], ["It is 12."], True)
    assert (len(withheld["prompt"]), withheld["completion"], withheld["turns_silent"]) == (3, [], 2)
    assert said["thoughts"] == [
        {name: thought[name] for name in ("type", "text", "score_raw", "score_adj", "selected")}
    ]
