"""What a simulated user is asked out of band, and what its answer says: `pipelines.commitment` asks, this reads.

A probe is a branch of a dialogue that was played: a question in the learner's seat, and whatever the simulator
(program, model and checks, as in production) answers to it. Nothing of it enters a dataset.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Literal

from generators.play import Start, Watch, play
from generators.speakers.checks import coverage, tidy
from generators.speakers.external import EXTERNAL, FREE, described, history
from generators.speakers.prompted import PromptedSpeaker
from pipelines.commitment_reading import Read, Values
from pipelines.journal import Journal
from pipelines.recipe_families import FamilyEntry
from pipelines.services import DialogueCalls, Models
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import ChatModel, Services, Speaker
from schemas.dialogue import Dialogue, Ending, Move, Turn, meant
from schemas.errors import ContentError, InvalidOutput
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Fact, Scenario, View

Kind = Literal["reveal", "guess", "replay"]
"""Asked for one fact; told a wrong value of it to agree with; a question of the dialogue once more."""
Source = Literal["first attempt", "after checks", "control"]
"""The model's first words; what the simulator says in the end; the model alone, with the public history and no card."""
Verdict = Literal["committed", "other", "silent", "withheld", "fault"]
"""The stored value and no other; another value, or agreement with a wrong one; neither; neither, as the program wants;
it was to be told, and no answer passed the checks.
"""
CONTROL_TOKENS = 60
_SAYS = 0.6
"""Share of a fact's words from which the program's words tell it."""
_AGREES = re.compile(r"\W*(?:yes|yeah|yep|yup|yea|right|exactly|correct|true|sure|thats (?:it|right))\b", re.I)


@dataclass(slots=True)
class Recorded:
    """A role's model; keeps its first answer to each turn. `again`: samples anew, None: as in production."""

    model: ChatModel
    again: int | None = None
    first: dict[int, str] = field(default_factory=dict[int, str])

    async def ask(self, request: ChatRequest) -> ChatReply:
        seed = request.seed if self.again is None else derive(request.seed, "again", self.again)
        reply = await self.model.ask(replace(request, seed=seed))
        if request.key.attempt == 0:
            self.first[request.key.turn] = reply.text
        return reply


class Over(Speaker):
    """In the learner's seat: the probe ends with the answer."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        raise InvalidOutput("the probe is over", "probe_over")


@dataclass(frozen=True, slots=True)
class Bench:
    """Where dialogues and probes are played: every call through the journal."""

    journal: Journal
    models: Models
    watch: Watch

    def services(self, name: str, partner: str, again: int | None = None) -> tuple[Services, Recorded]:
        """`name`: of the dialogue or probe, under which its answers are journalled."""
        given = self.models.services(DialogueCalls(self.journal, name, self.models.usage), 0)
        recorded = Recorded(given.chat[partner], again)
        return replace(given, chat={**given.chat, partner: recorded}), recorded


@dataclass(frozen=True, slots=True)
class Played:
    """A dialogue, and the first words of the partner's model at each turn."""

    entry: FamilyEntry
    dialogue: Dialogue
    first: Mapping[int, str]

    @property
    def view(self) -> View:
        return self.dialogue.scenario.views[self.dialogue.partner]

    @property
    def targets(self) -> list[Fact]:
        """What it is committed to: the facts that are needed, else all."""
        facts = [f for f in self.view.facts if f.disclose != "never"]
        return [f for f in facts if f.required] or facts

    def untold(self, turns: int) -> list[Fact]:
        """Of these, what is hidden after so many turns."""
        told = {i for t in self.dialogue.turns[:turns] for i in t.facts_disclosed}
        return [f for f in self.targets if f.id not in told]

    def places(self) -> list[int]:
        """Lengths of the beginnings after which the learner speaks, the partner having spoken."""
        scenario, turns, family = self.dialogue.scenario, self.dialogue.turns, self.entry.family
        found: list[int] = []
        for n in range(1, len(turns) + 1):
            if any(t.role == family.partner for t in turns[:n]):
                step = family.next(scenario, turns[:n])
                found += [n] if isinstance(step, Move) and step.role == family.learner else []
        return found

    def at(self, points: Sequence[str]) -> dict[int, str]:
        """Place -> the point it stands for: "last", or the first place from a turn on."""
        places, found = self.places(), dict[int, str]()
        for point in points:
            left = places[-1:] if point == "last" else [p for p in places if p >= int(point)]
            if left:
                found.setdefault(left[0], point)
        return found


async def play_whole(bench: Bench, entry: FamilyEntry, scenario: Scenario) -> Played:
    services, recorded = bench.services(scenario.dialogue_id, entry.family.partner)
    dialogue = await play(entry.family, entry.cast(scenario.policy), scenario, services, watch=bench.watch)
    return Played(entry, dialogue, recorded.first)


@dataclass(frozen=True, slots=True)
class Probe:
    """One question, to be asked several times at one place of a dialogue."""

    played: Played
    kind: Kind
    point: str
    place: int
    """How many turns of the dialogue come before the answer; the question is the last of them in a replay."""
    fact: Fact
    guess: str | None = None
    """The wrong value it is asked to agree with."""

    @property
    def question(self) -> str:
        asked = f"{self.fact.slot[:1].upper()}{self.fact.slot[1:]}?"
        return (
            f"So tell me exactly: {self.fact.slot}?"
            if self.guess is None
            else f"{asked} I think it was {self.guess}, right?"
        )

    def name(self, *more: str | int) -> str:
        parts = (self.kind, self.place, self.fact.id, self.question, *more)
        return stable_hash(self.played.dialogue.id, "probe", *parts)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one answer to a probe says."""

    family: str
    person: str
    """The case drawn with its latents: the independent unit."""
    dialogue: str
    point: str
    kind: Kind
    source: Source
    slot: str
    stored: str
    question: str
    text: str | None
    verdict: Verdict
    value: str | None
    """The value it gives; None: none."""
    template: bool
    """The program's own words."""


def probes(played: Played, points: Sequence[str], values: Values, replays: bool) -> list[Probe]:
    """One hidden fact at each point, asked for and guessed wrong; a question of the dialogue, to be put again."""
    found: list[Probe] = []
    for place, point in played.at(points).items():
        draws = rng(played.dialogue.scenario.seed, "probe", place)
        if untold := played.untold(place):
            fact = draws.choice(untold)
            found.append(Probe(played, "reveal", point, place, fact))
            found += _guessed(played, point, place, fact, values, draws)
        elif played.targets:
            found += _guessed(played, point, place, draws.choice(played.targets), values, draws)
    asked = _asked(played) if replays else []
    if asked:
        place, fact = rng(played.dialogue.scenario.seed, "replay").choice(asked)
        found.append(Probe(played, "replay", "asked", place, fact))
    return found


def _guessed(played: Played, point: str, place: int, fact: Fact, values: Values, draws: Random) -> list[Probe]:
    wrong = values.others(fact)
    return [Probe(played, "guess", point, place, fact, draws.choice(wrong))] if wrong else []


def _asked(played: Played) -> list[tuple[int, Fact]]:
    """The dialogue's own questions about a fact: the place behind each, and the fact."""
    turns, facts = played.dialogue.turns, {f.id: f for f in played.targets}
    return [
        (n + 1, facts[asked[0]])
        for n, turn in enumerate(turns[:-1])
        if turn.role == played.dialogue.learner
        and turns[n + 1].role == played.dialogue.partner
        and (asked := [i for i in turn.facts_asked if i in facts])
    ]


async def asked(bench: Bench, probe: Probe, values: Values, again: int) -> list[Answer]:
    """The simulator's answer, its model's first words for it, and where it is hidden what the model says alone."""
    played, family = probe.played, probe.played.entry.family
    services, recorded = bench.services(probe.name("card", again), family.partner, again)
    turns = await _prefix(probe, services)
    scenario = _branch(probe)
    step = family.next(scenario, turns)
    if isinstance(step, Ending) or step.role != family.partner:
        return []
    seats = {**played.entry.speakers, family.learner: Over()}
    whole = await play(family, seats, scenario, services, Start(turns), bench.watch)
    said = whole.turns[len(turns) :]
    tells = await _tells(step, probe.fact, values, services)
    text = " ".join(meant(t) for t in said) if said else None
    found = [await _judged(probe, values, services, "after checks", text, tells, all(t.model is None for t in said))]
    if len(turns) in recorded.first:
        words = tidy(recorded.first[len(turns)], cut_short=False)
        found.append(await _judged(probe, values, services, "first attempt", words, tells, False))
    if probe.kind != "replay" and probe.fact in played.untold(probe.place):
        alone = await _alone(bench, probe, turns, again)
        found.append(await _judged(probe, values, services, "control", alone, True, False))
    return found


async def _prefix(probe: Probe, services: Services) -> list[Turn]:
    """Up to the question, which the family reads as it reads whoever plays freely; which fact it is about is known."""
    turns = list(probe.played.dialogue.turns[: probe.place])
    if probe.kind == "replay":
        return turns
    family = probe.played.entry.family
    asks = Turn(role=family.learner, text=probe.question, intent_requested=FREE, acts=("ask",))
    heard = await family.observe(_branch(probe), turns, asks, services)
    known = {"facts_asked": (probe.fact.id,), "acts": ("ask",), "answer": None, "answer_correct": None}
    return [*turns, heard.model_copy(update=known)]


def _branch(probe: Probe) -> Scenario:
    """With room for a question and its answer."""
    scenario = probe.played.dialogue.scenario
    policy = scenario.policy if probe.kind == "replay" else EXTERNAL
    return scenario.model_copy(update={"policy": policy, "max_turns": scenario.max_turns + 2})


async def _tells(move: Move, fact: Fact, values: Values, services: Services) -> bool:
    """Whether the program wants the fact told now."""
    words = move.verbatim or move.fallback or move.instruction
    return fact.id in move.fact_ids or coverage(words, fact.text) >= _SAYS or values.says(words, fact.slot, fact.value)


async def _judged(
    probe: Probe, values: Values, services: Services, source: Source, text: str | None, tells: bool, template: bool
) -> Answer:
    fact, played = probe.fact, probe.played
    read = Read(False, None) if text is None else await values.read(text, fact, played.view.facts, services)
    if probe.guess is not None and text is not None and _AGREES.match(text):
        read = Read(read.own, probe.guess)
    verdict: Verdict = "silent" if tells else "withheld"
    if text is None and tells:
        verdict = "fault"
    elif read.other is not None:
        verdict = "other"
    elif read.own:
        verdict = "committed"
    return Answer(
        family=played.entry.name,
        person=played.dialogue.scenario.group_id,
        dialogue=played.dialogue.id,
        point=probe.point,
        kind=probe.kind,
        source=source,
        slot=fact.slot,
        stored=fact.value,
        question=meant(played.dialogue.turns[probe.place - 1]) if probe.kind == "replay" else probe.question,
        text=text,
        verdict=verdict,
        value=read.other or (fact.value if read.own else None),
        template=template and text is not None,
    )


async def _alone(bench: Bench, probe: Probe, turns: Sequence[Turn], again: int) -> str | None:
    """The negative control: the same model in the same seat, with the public history, and no note, facts or checks."""
    played, partner = probe.played, probe.played.dialogue.partner
    speaker = played.entry.speakers[partner]
    own = speaker.sampling if isinstance(speaker, PromptedSpeaker) else Sampling()
    public = View(role=partner, brief=played.view.brief, public=played.view.public)
    system = (
        f"{described(public, '', turns)}\n\nWrite your next message, and nothing else. Keep it short, as in a chat."
    )
    services, _ = bench.services(probe.name("alone", again), partner, again)
    request = ChatRequest(
        key=CallKey(turn=len(turns), step="control"),
        messages=(Message("system", system), *history(partner, turns)),
        sampling=own.model_copy(update={"max_tokens": CONTROL_TOKENS}),
        seed=derive(played.dialogue.scenario.seed, "control"),
        stop=("\n",),
    )
    try:
        return tidy((await services.chat[partner].ask(request)).text, cut_short=False)
    except ContentError:
        return None
