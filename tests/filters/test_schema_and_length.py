import pytest
from talks import talk

from filters.schema_and_length import LengthBounds
from schemas.dialogue import Ending, Turn

BOUNDS = LengthBounds(min_turns=2, max_turns=4, max_words=5)


def test_a_short_exchange_is_kept():
    assert BOUNDS.judge(talk(("assistant", "Hello there."), ("user", "Hi."))).reason == "ok"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ([("user", "Hi.")], "too_few_turns"),
        ([("user", "Hi."), ("assistant", "Yes?")] * 3, "too_many_turns"),
        ([("user", "Hi."), ("assistant", " \n")], "empty_turn"),
        ([("user", "Hi."), Turn(role="assistant", text=None)], "empty_turn"),
        ([("user", "one two three four five six"), ("assistant", "Yes?")], "turn_too_long"),
        ([("user", "Hi."), ("user", "Anybody?")], "one_side_silent"),
        ([("user", "Hi."), ("narrator", "Silence fell.")], "unknown_role"),
        ([("user", "Hi."), Turn(role="assistant", kind="silence", text="...")], "silence_with_text"),
    ],
)
def test_each_fault_of_form_has_its_own_reason(said: list[tuple[str, str] | Turn], reason: str):
    verdict = BOUNDS.judge(talk(*said))
    assert (verdict.keep, verdict.reason) == (False, reason)


def test_silences_and_events_are_no_utterances_but_no_fault_either():
    said = (("user", "Hi."), Turn(role="assistant", kind="silence"), Turn(role="bell", kind="event", text="Ding."))
    assert BOUNDS.judge(talk(*said, ("assistant", "Yes?"))).keep


def test_a_dialogue_that_ended_in_a_fault_is_dropped_with_the_faults_own_reason():
    ended = Ending(reason="fault", detail="context_overflow")
    verdict = BOUNDS.judge(talk(("user", "Hi."), ("assistant", "Yes?"), ending=ended))
    assert (verdict.keep, verdict.reason) == (False, "context_overflow")
