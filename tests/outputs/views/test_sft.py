"""The learner's turns as prompt and completion: whose, of which dialogues."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from view_samples import own, record, texts, view_rows

from schemas.dialogue import Turn
from schemas.record import Record

QUIET = Turn(role="teacher", kind="silence")
BELL = Turn(role="teacher", kind="event", text="The bell rings.")


def asked(**more: Any) -> Record:
    labels = more.pop("labels", {})
    return record("How much?", own("How many are there?", labels=labels), QUIET, BELL, "Three.", own("12."), **more)


def test_each_turn_of_the_learner_is_a_row_with_all_that_was_said_before_it():
    first, second = view_rows("sft", [asked()])
    assert first["prompt"] == [{"role": "user", "content": "How much?"}]
    assert (first["turn"], second["turn"]) == (1, 5)
    assert texts(second["prompt"]) == ["How much?", "How many are there?", "Three."]
    assert second["completion"] == [{"role": "assistant", "content": "12."}]
    assert (second["dialogue_id"], second["split"], second["policy"]) == ("d0", "train", "proactive")


@pytest.mark.parametrize("given", [{"success": False}, {"success": None}, {"keep": False}])
def test_what_failed_or_was_dropped_is_not_learnt(given: dict[str, Any]):
    assert view_rows("sft", [asked(**given)]) == []


def test_dialogues_with_a_question_put_in_the_learners_mouth_are_a_view_of_their_own():
    both = [asked(name="plain"), asked(name="primed", labels={"question_substituted": True})]
    assert {row["dialogue_id"] for row in view_rows("sft", both)} == {"plain"}
    primed = view_rows("sft_primed", both)
    assert [(row["dialogue_id"], row["question_substituted"]) for row in primed] == [
        ("primed", True),
        ("primed", False),
    ]


def test_a_clairvoyant_turn_is_heard_and_not_learnt():
    (row,) = view_rows("sft", [asked(labels={"clairvoyant": True})])
    assert row["turn"] == 5 and len(row["prompt"]) == 3


def test_a_label_counts_where_it_is_true_and_not_where_its_name_is_quoted():
    quoted = {"clean": '"clairvoyant":true', "says": 'x"question_substituted": true'}
    assert len(view_rows("sft", [asked(labels=quoted)])) == 2


def slow(dialogue: Record) -> list[tuple[list[str], str, int]]:
    """The same, a turn at a time."""
    heard: list[str] = []
    rows: list[tuple[list[str], str, int]] = []
    if not dialogue.dialogue.outcome.get("success"):
        return []
    for place, turn in enumerate(dialogue.dialogue.turns):
        if turn.kind == "utterance" and turn.text is not None:
            if turn.role == "student" and not turn.labels.get("clairvoyant"):
                rows.append((list(heard), turn.text, place))
            heard.append(turn.text)
    return rows


TURN = st.builds(
    lambda role, kind, text, clairvoyant: Turn(
        role=role,
        kind=kind,
        text=None if kind == "silence" else text,
        labels={} if clairvoyant is None else {"clairvoyant": clairvoyant},
    ),
    st.sampled_from(["teacher", "student", "bystander"]),
    st.sampled_from(["utterance", "utterance", "silence", "event"]),
    st.text(max_size=6),
    st.sampled_from([None, True, False]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.lists(TURN, max_size=7), st.booleans()), max_size=5))
def test_columns_give_what_a_loop_over_turns_gives(dialogues: list[tuple[list[Turn], bool]]):
    records = [record(*turns, name=f"d{n}", success=success) for n, (turns, success) in enumerate(dialogues)]
    found = [(texts(r["prompt"]), r["completion"][0]["content"], r["turn"]) for r in view_rows("sft", records)]
    assert found == [row for r in records for row in slow(r)]
