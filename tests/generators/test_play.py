"""The loop: silences, events, double turns and more than two speakers; faults are data; the prefix is the state."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

import pytest
from played import requests, services

from generators.play import Start, Watch, play
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from schemas.contracts import Detector, Family, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Move, Said, Turn
from schemas.errors import ContentError, Unreachable
from schemas.judgement import Fault
from schemas.record import Record, from_row, messages, to_row
from schemas.scenario import Fact, Scenario, View


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
    return await play(family, {**family.speakers, **changed}, family.sample(Random(0)), services(str), Start(prefix))


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


class Typed(Says):
    """Words of a model; the odd ones out are of its first tries."""

    bad: int = 1
    """How many tries at a turn are faulty."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        said = await super().speak(view, turns, move, seed, services)
        text = f"WRONG {move.remake}" if move.remake < self.bad else said.text
        return said.model_copy(update={"text": text, "model": "scripted"})


class Wrong(Detector):
    """Finds the word."""

    kinds: ClassVar[tuple[str, ...]] = ("wrong_word",)

    both_sides: ClassVar[bool] = True

    def fault(self, said: Said) -> Fault | None:
        return Fault(turn=said.place, kind="wrong_word", detail=said.text) if "WRONG" in said.text else None


async def watched(watch: Watch, **changed: Speaker) -> Dialogue:
    family = Visit()
    return await play(family, {**family.speakers, **changed}, family.sample(Random(0)), services(str), watch=watch)


async def test_a_faulty_turn_of_the_partner_is_made_again_and_says_why():
    dialogue = await watched(Watch((Wrong(),), 2), guest=Typed())
    guest = [t for t in dialogue.turns if t.role == "guest"]
    assert [t.text for t in guest] == ["guest after 1", "guest after 2"]
    assert [t.labels["remade"] for t in guest] == [["wrong_word"]] * 2
    assert all("faults" not in t.labels for t in dialogue.turns)


async def test_when_the_remakes_are_spent_the_turn_stays_with_its_faults_and_is_dropped_by_the_filter():
    dialogue = await watched(Watch((Wrong(),), 2), guest=Typed(bad=9))
    turn = dialogue.turns[1]
    assert turn.text == "WRONG 2"
    assert turn.labels["remade"] == ["wrong_word", "wrong_word"]
    assert turn.labels["faults"] == [{"kind": "wrong_word", "detail": "WRONG 2"}]
    assert Wrong().judge(dialogue) == Wrong().judge_labelled(dialogue)
    assert Wrong().judge(dialogue).reason == "wrong_word"
    assert from_row(to_row(Record(dialogue=dialogue))).dialogue == dialogue


@pytest.mark.parametrize("watch", [Watch((Wrong(),), 0), Watch((Wrong(drops=False),), 2)])
async def test_without_a_budget_or_a_dropping_detector_a_fault_is_only_labelled(watch: Watch):
    turn = (await watched(watch, guest=Typed())).turns[1]
    assert turn.text == "WRONG 0" and "remade" not in turn.labels
    assert [f["kind"] for f in turn.labels["faults"]] == ["wrong_word"]


async def test_the_learner_is_never_made_again():
    turn = (await watched(Watch((Wrong(),), 2), host=Typed())).turns[0]
    assert turn.text == "WRONG 0" and "remade" not in turn.labels and turn.labels["faults"]


class Wordy(PromptedSpeaker):
    """Prompted, and labels nothing."""

    system: str = "{brief}"
    attempts: int = 2
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(heard="", note="say where you live", message="i live in a tiny flat downtown"),
    )

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        return turn


MOVE = Move(role="guest", instruction="say you are late; then ask politely whether there is any room left")


async def test_a_turn_made_again_is_asked_for_under_a_key_and_a_seed_of_its_own():
    given = services(lambda r: "WRONG" if r.key.attempt < 2 else "all is well", "guest")
    view = View(role="guest", brief="You visit.")
    first = await Wordy().speak(view, [], MOVE, 1, given)
    second = await Wordy().speak(view, [], MOVE.model_copy(update={"remake": 1}), 1, given)
    asked = requests(given)
    assert (first.text, second.text) == ("WRONG", "all is well")
    assert [r.key.attempt for r in asked] == [0, 2]
    assert asked[0].seed != asked[1].seed and asked[0].messages == asked[1].messages
    assert asked[1].sampling.temperature > asked[0].sampling.temperature


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("am late, then ask politely whether there is any room left", False),
        ("i live in a tiny flat downtown", False),
        ("sorry i'm late, is there any room left?", True),
        ("i have a cat called momo and it sleeps all day long", True),
    ],
)
async def test_what_was_only_an_instruction_or_an_example_is_not_said(said: str, kept: bool):
    fact = Fact(id="f", holder="guest", slot="", value="", text="i have a cat called momo and it sleeps all day long")
    view = View(role="guest", brief="", facts=(fact,))
    move = MOVE if "cat" not in said else Move(role="guest", instruction=fact.text, fact_ids=("f",))
    given = services(lambda r: f"{said}{'' if r.key.attempt == 0 else ' hello there'}", "guest")
    if kept:
        assert (await Wordy().speak(view, [], move, 1, given)).text == said
        return
    with pytest.raises(ContentError) as fault:
        await Wordy(attempts=1).speak(view, [], move, 1, given)
    assert fault.value.reason == "copied_instruction"
