"""Asking somebody for something in a few messages (methods §19, §21): what keeps them from it is hidden, and comes out
when it is asked for, hinted at or, by some people, told.

What the person thinks is `generators.latents.cognition`: every message of the assistant is appraised from its words,
whoever wrote it, and the state after each turn stands in `Turn.state`. What they say is `generators.prospect`, what
the assistant does `generators.outreaching`. In a quarter of the scenarios asking is needless or unwelcome, and in some
nothing can succeed.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from generators.domains.outreach import Case, Domain, OutreachDomain, load
from generators.domains.small_talk import TOPICS
from generators.latents.acts import meant_by
from generators.latents.appraisal import appraise, loose
from generators.latents.cognition import apply, distance, potential, propose, told
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.mind import READY, SEVERE, Appraisal, State, Traits
from generators.latents.session import CELLS, Cell, SessionLatents, draw_session, traits
from generators.latents.tagger import is_question
from generators.ledger import volunteering
from generators.outreaching import Heard, outreaching_move
from generators.prospect import Approached, appraisal_of, prospect_move, said_in, state_of
from generators.speakers.chat_user import TYPING, ChatUser
from generators.speakers.outreacher import Outreacher
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.scenario import Fact, Scenario, View


@cache
def _outreach() -> FittedLatents:
    return committed("outreach_latents")


class Outreach(Family):
    """Bounded-turn persuasion of somebody with hidden concerns; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    reference: ClassVar[str | None] = None
    speakers: ClassVar[Mapping[str, Speaker]] = {
        "assistant": Outreacher(),
        "user": ChatUser(),
    }

    domain: Domain = "charity"
    """What is asked of people: charity, camping or volunteers."""
    latents: Latents = Field(default_factory=_outreach)
    """What users are drawn from: the path of a file that `overture fit` wrote. Default: fitted on persuasion for a
    charity.
    """
    cells: dict[Cell, float] = Field(default_factory=lambda: dict(CELLS))
    """Share of scenarios in which initiative is needed, needless, unwelcome or hopeless, by cell."""
    g: float | None = Field(default=None, ge=0, le=1)
    """How much the proactive assistant weighs the goal against what the user prefers. null: by turn, difficulty,
    satisfaction and cooperativeness.
    """
    max_turns: int = 12
    """Most messages of a dialogue."""

    def sample(self, rng: Random) -> Scenario:
        data = load(self.domain)
        case = rng.choice(data.cases)
        declared = {"patience": case.patience, "concerns": tuple(case.concerns)}
        session = draw_session(rng, self.latents, case.who, self.cells, **declared)
        severity = _severity(case, session.cell)
        hurry = {"patience": 2 if case.patience >= 4 else 1} if session.cell == "hurry" else {}
        session = session.model_copy(update={"concerns": tuple(severity), **hurry})
        traits = Traits(hurried=session.cell == "hurry", likes=_likes(rng))
        state = _start(case, session, severity, rng)
        return Scenario(
            family=self.name(),
            domain=self.domain,
            base_case_id=f"{self.domain}/{case.id}",
            seed=0,
            goal=data.goal,
            views={
                "assistant": View(role="assistant", brief=data.outreacher, facts=_known(data, severity, session.cell)),
                "user": View(
                    role="user",
                    brief=f"{data.approached} You are {case.who}.",
                    facts=tuple(_worry(data, name, severity[name], case.talkative, rng) for name in severity),
                    private={TYPING: session.person.typing().model_dump_json()},
                ),
            },
            session_latents={**session.label(), "talkative": case.talkative},
            plan={
                "case": case.id,
                "opening": case.opening,
                "state": state.model_dump(mode="json"),
                "traits": traits.model_dump(mode="json"),
                "topics": rng.sample(sorted(TOPICS), 2),
            },
            max_turns=self.max_turns,
        )

    def traits(self, scenario: Scenario) -> Mapping[str, str]:
        return traits(scenario.session_latents)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if turns and (over := _over(scenario, turns)):
            return over
        if turns and turns[-1].role == "assistant":
            return prospect_move(Approached.of(scenario, turns), self.latents)
        if scenario.policy == "external":
            return Move(role="assistant", intent="free", instruction="")
        return outreaching_move(Heard.of(scenario, turns), self.g)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        before, text = state_of(scenario, turns), turn.text or ""
        if turn.role != "assistant":
            return turn.model_copy(update={"state": told(before, turn.labels).model_dump(mode="json")})
        data = load(scenario.domain)
        known = [f.id for f in scenario.views["assistant"].facts]
        meant = await meant_by(*loose(text, data), data, before, known, services)
        if turn.intent_requested != "free":  # its speaker has seen to it that the words carry them
            meant = meant._replace(answers=(*meant.answers, *turn.facts_disclosed))
        mine = [t.text for t in turns if t.role == "assistant" and t.text]
        seen = appraise(text, data, before, known, mine, meant)
        after = apply(before, propose(before, seen, Traits.model_validate(scenario.plan["traits"])))
        told_before = said_in(turns)
        said = [i for i in (*seen.addressed, *seen.argued, *seen.irrelevant) if i in known and i not in told_before]
        asks = [
            c for c in before.concerns if c in seen.asked or (seen.asks_openly and before.concerns[c] != "resolved")
        ]
        update: dict[str, Any] = {
            "labels": turn.labels | _changes(before, seen, after),
            "state": after.model_dump(mode="json"),
            "facts_disclosed": tuple(dict.fromkeys((*turn.facts_disclosed, *said))),
            "facts_volunteered": tuple(dict.fromkeys((*turn.facts_volunteered, *said))),
            "facts_asked": tuple(asks),
            "acts": ("ask",) if is_question(text) else (),
        }
        return turn.model_copy(update=update)

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        start, end = state_of(scenario, ()), state_of(scenario, turns)
        accepted = ending.reason == "goal_reached"
        seen = [s for t in turns if t.role == "assistant" and (s := appraisal_of(t))]
        first = next((c for s in seen for c in (*s.settles, *s.asked)), None)
        used = {i for s in seen for i in s.addressed if set(s.settles) & set(end.those("resolved"))}
        states = [State.model_validate(t.state) for t in turns if t.state and t.role == "assistant"]
        return {
            "success": accepted,
            "accepted": accepted,
            "resolved": end.those("resolved"),
            "phi_start": round(potential(start), 4),
            "phi_end": round(potential(end), 4),
            "pushes_after_refusal": end.pushes,
            "civility_fault": end.civility_fault,
            "civil": ending.reason == "closed_by_learner" and not end.civility_fault,
            "right_concern": None if first is None else first in start.concerns,
            "volunteered": _volunteered(scenario, turns),
            "unused_volunteered": sorted({i for t in turns for i in t.facts_volunteered} - used),
            "assistant_words": sum(len((t.text or "").split()) for t in turns if t.role == "assistant"),
            "satisfaction": round(sum(s.satisfaction for s in states) / len(states), 4) if states else None,
        }


def _volunteered(scenario: Scenario, turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """What the assistant said unasked, with Grice's bits: wanted is what answers a concern that is not settled yet."""
    about = {name: c.about for name, c in load(scenario.domain).concerns.items()}
    wanted = {about[name]: len(turns) for name in state_of(scenario, ()).concerns}
    used: dict[str, int] = {}
    for n, turn in enumerate(turns):
        seen = appraisal_of(turn) if turn.role == "assistant" else None
        settled = set(seen.settles) & set(state_of(scenario, turns[: n + 1]).those("resolved")) if seen else set[str]()
        for name in settled:
            wanted[about[name]] = min(wanted[about[name]], n)
        used |= {i: n for i in (seen.addressed if seen and settled else ()) if i not in used}
    return volunteering(scenario.views["assistant"], turns, wanted, used)


def _changes(before: State, seen: Appraisal, after: State) -> dict[str, Any]:
    """What a message of the assistant did, as labels."""
    scales = ("cooperation", "emotion", "trust", "patience")
    return {
        "appraisal": seen.model_dump(mode="json", exclude_defaults=True),
        "delta": {name: getattr(after, name) - getattr(before, name) for name in scales},
        "phi": round(potential(after), 4),
        "goal_distance": distance(after),
        "civility_fault": after.civility_fault,
    }


def _severity(case: Case, cell: Cell) -> dict[str, int]:
    """What this person worries about."""
    if cell == "given":
        return {}
    if cell == "useless":
        return {next(name for name, severity in case.concerns.items() if severity >= SEVERE): SEVERE}
    return case.concerns


def _likes(rng: Random) -> dict[str, float]:
    """A preference for each topic (methods §21)."""
    ranges = {"request": (0.15, 0.4), "argument": (0.25, 0.5), "concern": (0.5, 0.8), "talk": (0.7, 1.0)}
    return {topic: round(rng.uniform(*ends), 2) for topic, ends in ranges.items()}


def _start(case: Case, session: SessionLatents, severity: Mapping[str, int], rng: Random) -> State:
    least = {"given": READY, "useless": READY - 1, "hurry": READY - 1}.get(session.cell, 1)
    return State(
        cooperation=max(case.cooperation, least),
        emotion=rng.choice((1, 2)),
        trust=case.trust,
        concerns=dict.fromkeys(severity, "hidden"),
        severity=dict(severity),
        patience=session.patience,
        never=session.cell == "refuses",
    )


def _worry(data: OutreachDomain, name: str, severity: int, talkative: bool, rng: Random) -> Fact:
    concern = data.concerns[name]
    return Fact(
        id=name,
        holder="user",
        slot=concern.about,
        value=name,
        text=rng.choice(concern.voiced),
        required=severity >= SEVERE,
        disclose="volunteered" if talkative else "asked",
    )


def _known(data: OutreachDomain, severity: Mapping[str, int], cell: Cell) -> tuple[Fact, ...]:
    """What the assistant may say; where nothing can succeed it has no answer to a concern that must be settled."""
    lacks = next((n for n, s in severity.items() if s >= SEVERE), None) if cell == "impossible" else None
    said = [(a, c.about, name) for name, c in data.concerns.items() if name != lacks for a in c.answers]
    said += [(a, "what speaks for it", "argument") for a in data.arguments]
    said += [(a, "something beside the point", "irrelevant") for a in data.irrelevant]
    return tuple(
        Fact(id=a.id, holder="assistant", slot=about, value=v, text=a.text, required=False, disclose="volunteered")
        for a, about, v in said
    )


def _over(scenario: Scenario, turns: Sequence[Turn]) -> Ending | None:
    last = turns[-1]
    if last.role == "user" and last.intent_requested == "accept":
        return Ending(reason="goal_reached", by="user")
    if last.role == "user" and last.intent_requested == "bye":
        return Ending(reason="gave_up", by="user")
    if last.intent_requested == "withdraw" or ((seen := appraisal_of(last)) is not None and seen.closes):
        return Ending(reason="closed_by_learner", by="assistant")
    return Ending(reason="max_turns") if len(turns) >= scenario.max_turns else None
