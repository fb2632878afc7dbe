"""The loop: silences, events, double turns and more than two speakers; faults are data; the prefix is the state."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import pytest
from played import services

from generators.play import play
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Move, Turn
from schemas.errors import ContentError, Unreachable
from schemas.record import Record, from_row, messages, to_row
from schemas.scenario import Scenario, View


class Says(Speaker):
    """Says how many turns there were; a silence and an event as the move has them."""

    breaks_at: int = -1
    """The turn at which no answer is usable."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        if len(turns) == self.breaks_at:
            raise ContentError("nothing usable", "no_words")
        text = {"silence": None, "event": move.verbatim}.get(move.kind, f"{view.role} after {len(turns)}")
        return Turn(role=view.role, kind=move.kind, text=text, intent_requested=move.intent)


MOVES = (
    Move(role="host", intent="greet"),
    Move(role="guest"),
    Move(role="guest", intent="say_more"),
    Move(role="host", kind="silence"),
    Move(role="world", kind="event", verbatim="The bell rings."),
    Move(role="bystander", intent="interrupt"),
    Move(role="host", intent="close"),
)


class Visit(Family):
    """Three people and the world, by a fixed script."""

    learner: ClassVar[str] = "host"
    partner: ClassVar[str] = "guest"
    speakers: ClassVar[Mapping[str, Speaker]] = {name: Says() for name in ("host", "guest", "bystander", "world")}

    def sample(self, rng: Random) -> Scenario:
        views = {name: View(role=name, brief=f"You are the {name}.") for name in self.speakers}
        return Scenario(family="visit", domain="test", base_case_id="v", seed=rng.randint(0, 9), goal="", views=views)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        return MOVES[len(turns)] if len(turns) < len(MOVES) else Ending(reason="closed_by_learner", by="host")

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        return turn.model_copy(update={"labels": {"seen": len(turns)}})

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        return {"success": ending.reason == "closed_by_learner"}


async def visit(prefix: Sequence[Turn] = (), **changed: Speaker) -> Dialogue:
    family = Visit()
    return await play(family, {**family.speakers, **changed}, family.sample(Random(0)), services(str), prefix)


async def test_silences_events_double_turns_and_three_speakers_are_turns_like_any_other():
    dialogue = await visit()
    assert [(t.role, t.kind, t.text) for t in dialogue.turns] == [
        ("host", "utterance", "host after 0"),
        ("guest", "utterance", "guest after 1"),
        ("guest", "utterance", "guest after 2"),
        ("host", "silence", None),
        ("world", "event", "The bell rings."),
        ("bystander", "utterance", "bystander after 5"),
        ("host", "utterance", "host after 6"),
    ]
    assert [t.labels["seen"] for t in dialogue.turns] == list(range(7))
    assert (dialogue.learner, dialogue.partner) == ("host", "guest")
    assert dialogue.ending == Ending(reason="closed_by_learner", by="host") and dialogue.outcome == {"success": True}


async def test_such_a_dialogue_comes_back_from_its_row_and_only_words_become_messages():
    dialogue = await visit()
    assert from_row(to_row(Record(dialogue=dialogue))).dialogue == dialogue
    assert [m["role"] for m in messages(dialogue)] == ["assistant", "user", "user", "user", "assistant"]


async def test_a_content_fault_ends_the_dialogue_as_data_and_keeps_the_turns_before_it():
    whole = await visit()
    broken = await visit(bystander=Says(breaks_at=5))
    assert broken.turns == whole.turns[:5]
    assert broken.ending == Ending(reason="fault", by="bystander", detail="no_words")
    assert broken.outcome == {"success": False}


@pytest.mark.parametrize("length", range(len(MOVES) + 1))
async def test_playing_on_from_any_prefix_gives_the_same_dialogue(length: int):
    whole = await visit()
    assert await visit(whole.turns[:length]) == whole


async def test_a_fault_of_a_server_is_not_swallowed():
    class Unserved(Says):
        """Its server is gone."""

        async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
            raise Unreachable("gone")

    with pytest.raises(Unreachable, match="gone"):
        await visit(guest=Unserved())
