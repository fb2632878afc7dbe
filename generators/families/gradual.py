"""Problems told in pieces (methods §17): a person asks a question and tells by and by what it takes to answer it; the
assistant should ask or wait, and not answer too early.

The setting says how the pieces come: all in one message (`full`, `concat`), one a message (`sharded`), once more at the
end (`recap`), or each message with all before it (`snowball`). It is drawn with the case, so that the siblings of a
group differ in what the assistant did and in nothing else; `paired` plays every case in every setting, to measure.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, NonNegativeFloat, model_validator

from generators.asked import facts_asked
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.session import INITIATIVE, Cell, SessionLatents, draw_session
from generators.piecing import AT_ONCE, LEADS, SETTINGS, SIGNS, TELLS_ALL, Setting, Telling, assistant_move, user_move
from generators.speakers.chat_user import TYPING
from generators.speakers.external import FREE
from generators.speakers.piecemeal import Assembler, Piecemeal
from generators.tasks import catalog
from generators.tasks.problem import Template
from generators.tasks.responses import Response, read_response
from generators.tasks.sharding import Sharded, checks, from_template, load
from generators.teaching import typing_of
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.scenario import Disclosure, Fact, Scenario, Verifier, View

CELLS: Mapping[Cell, float] = {"needed": 0.64, "given": 0.14, "refuses": 0.12, "impossible": 0.10}
"""needed: something comes out only when it is asked for; given: every shard comes by itself; refuses: so it does, and
questions are turned down; impossible: one required shard is known to nobody. All at once is always given, unless it is
impossible.
"""
WEIGHTS: Mapping[Setting, float] = {"full": 0.1, "concat": 0.1, "sharded": 0.5, "recap": 0.15, "snowball": 0.15}
NO_ANSWER = Verifier(kind="text", answer="it cannot be known")
"""Of the cell impossible: whatever is guessed is wrong."""


@cache
def _fitted() -> FittedLatents:
    return committed("small_talk_latents")


class Gradual(Family):
    """A problem that a person tells in pieces; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": Assembler(), "user": Piecemeal()}

    problems: Path | None = None
    """JSONL or Parquet of problems instead of the built-in templates; `meta.shards`, the question first, are used where
    a row has them.
    """
    settings: dict[Setting, NonNegativeFloat] = Field(default_factory=lambda: dict(WEIGHTS))
    """How the pieces come, by weight."""
    paired: bool = False
    """Whether each case is played in every setting that has a weight, all in one group."""
    latents: Latents = Field(default_factory=_fitted)
    """What people are drawn from: the path of a file that `overture fit` wrote. Default: that of small talk."""
    cells: dict[Cell, NonNegativeFloat] = Field(default_factory=lambda: dict(CELLS))
    """How often asking is needed, needless, unwelcome or hopeless, by weight."""
    max_turns: int = 24
    """Most messages of a dialogue; three more of either side than a problem has shards, at most."""

    @model_validator(mode="after")
    def _known(self) -> Self:
        if odd := sorted(cell for cell, weight in self.cells.items() if weight and cell not in CELLS):
            raise ValueError(f"cells: {', '.join(odd)}: this family has {', '.join(CELLS)}")
        if not any(self.settings.values()):
            raise ValueError(f"settings: give one of {', '.join(SETTINGS)} a weight above 0")
        return self

    @property
    def _played(self) -> list[Setting]:
        return [setting for setting in SETTINGS if self.settings.get(setting)]

    @property
    def variants(self) -> int:
        return len(self._played) if self.paired else 1

    def vary(self, scenario: Scenario, variant: int) -> Scenario:
        return _set(scenario, self._played[variant]) if self.paired else scenario

    def sample(self, rng: Random) -> Scenario:
        return self._case(self._problem(rng), rng)

    def another(self, case: Callable[[], Random], rng: Random) -> Scenario:
        """The same problem in the same pieces, told by another person, who may know less of it."""
        return self._case(self._problem(case()), rng)

    def _problem(self, rng: Random) -> Sharded:
        if self.problems is not None:
            return rng.choice(_loaded(self.problems))
        return from_template(rng.choice(_built_in()), rng)

    def _case(self, sharded: Sharded, rng: Random) -> Scenario:
        problem = sharded.problem
        session = draw_session(rng, self.latents, f"has a problem ({problem.kind.replace('_', ' ')})", self.cells)
        facts = _disclosed(sharded.shards, session, rng)
        nobodys = [fact for fact in facts if fact.disclose == "never"]
        setting = rng.choices(self._played, [self.settings[s] for s in self._played])[0]
        scenario = Scenario(
            family=self.name(),
            domain=problem.kind,
            base_case_id=f"problem/{problem.template_id}",
            seed=0,
            goal="the right answer, given when all that it takes was told",
            views={
                "assistant": View(role="assistant", brief="You help people who text you."),
                "user": View(
                    role="user",
                    brief="You have a problem to solve.",
                    public=sharded.first,
                    facts=facts,
                    private={TYPING: typing_of(session.person).model_dump_json()},
                ),
            },
            session_latents=session.label() | {"shards": len(facts), "withheld": len(nobodys)},
            verifier=NO_ANSWER if nobodys else problem.verifier,
            plan={
                "first": sharded.first,
                "full": _without(sharded, nobodys) if nobodys else problem.public,
                "visible": sharded.visible,
                "lead": rng.choice(LEADS),
                "sign": rng.choice(SIGNS) if session.cell == "given" else "",
                "cell": session.cell,
                "answer_format": problem.answer_format,
                "answer_kind": problem.verifier.kind,
                "choices": list(problem.choices),
            },
            max_turns=min(self.max_turns, 2 * (len(facts) + 3)),
        )
        return _set(scenario, self._played[0] if self.paired else setting)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        telling = Telling.of(scenario, turns)
        if turns and (over := _over(telling)):
            return over
        if not turns or turns[-1].role == "assistant":
            return user_move(telling)
        if scenario.policy != "external":
            return assistant_move(telling)
        program = scenario.plan["answer_kind"] == "python"
        written = "write it between ``` and ```" if program else f'write "Answer:" and {scenario.plan["answer_format"]}'
        return Move(role="assistant", intent=FREE, instruction=f"Once you know the answer, {written}.")

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """Of an assistant's turn what it does, by its words; which shards it asks for; whether its answer is right, and
        whether it was early.
        """
        if turn.role != "assistant":
            return turn
        telling = Telling.of(scenario, turns)
        turn = _responded(turn, telling)
        if turn.answer is not None and scenario.verifier is not None:
            checked = await services.verify(scenario.verifier, turn.answer, len(turns))
            labels = turn.labels | {
                "verdict": checked.reason,
                "attempt_score": float(checked.correct),
                "premature_attempt": bool(telling.needed),
            }
            return turn.model_copy(update={"answer_correct": checked.correct, "labels": labels})
        if "ask" in turn.acts:
            told = [f for f in telling.view.facts if f not in telling.missing]
            about = await facts_asked(turn.text or "", [*telling.missing, *told], services)
            return turn.model_copy(update={"facts_asked": about})
        return turn

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        telling = Telling.of(scenario, turns)
        attempts = telling.attempts
        early = [t for t in attempts if t.labels.get("premature_attempt")]
        words = [len((t.text or "").split()) for t in attempts]
        return {
            "success": any(t.answer_correct for t in attempts),
            "premature_success": any(t.answer_correct for t in early),
            "answer": attempts[-1].answer if attempts else None,
            "abstained": not attempts and ending.reason != "fault",
            "setting": scenario.plan["setting"],
            "cell": telling.session.cell,
            "initiative": telling.session.initiative,
            "attempts": len(attempts),
            "premature_attempts": len(early),
            "answer_bloat": words[-1] / words[0] if words else None,
            "revealed_at": {
                f.id: next((n for n, t in enumerate(turns) if f.id in t.facts_disclosed), None)
                for f in telling.view.facts
            },
            "questions": sum(t.role == "assistant" and "ask" in t.acts for t in turns),
            "patience_spent": telling.spent,
        }


def _set(scenario: Scenario, setting: Setting) -> Scenario:
    """A case in a setting: who tells all at once keeps nothing back."""
    cell: Cell = scenario.plan["cell"]
    now: Cell = "given" if setting in AT_ONCE and cell != "impossible" else cell
    latents = scenario.session_latents | {"cell": now, "initiative": INITIATIVE[now]}
    return scenario.model_copy(update={"plan": scenario.plan | {"setting": setting}, "session_latents": latents})


def _disclosed(shards: Sequence[Fact], session: SessionLatents, rng: Random) -> tuple[Fact, ...]:
    """When each shard comes out: one that is required only when it is asked for, the others as cooperative as they are;
    where nothing can succeed, one that is required never.
    """
    if session.cell in TELLS_ALL:
        return tuple(fact.model_copy(update={"disclose": "volunteered"}) for fact in shards)
    chosen = rng.choice([fact.id for fact in shards if fact.required])
    held: Disclosure = "never" if session.cell == "impossible" else "asked"
    found: list[Fact] = []
    for fact in shards:
        free: Disclosure = "volunteered" if rng.random() < session.cooperativeness else "asked"
        found.append(fact.model_copy(update={"disclose": held if fact.id == chosen else free}))
    return tuple(found)


def _without(sharded: Sharded, nobodys: Sequence[Fact]) -> str:
    """The full text without what nobody knows."""
    known = [fact.text for fact in sharded.shards if fact.id not in {f.id for f in nobodys}]
    return " ".join([*known, sharded.first])


def _over(telling: Telling) -> Ending | None:
    last, scenario = telling.turns[-1], telling.scenario
    if last.answer_correct:
        return Ending(reason="goal_reached", by="assistant")
    if last.intent_requested == "bye":
        return Ending(reason="gave_up", by="user")
    if last.decision == "stop":
        return Ending(reason="closed_by_learner", by="assistant")
    again = scenario.plan["setting"] == "recap" and not telling.recapped
    if last.answer is not None and not telling.tellable and not again:
        return Ending(reason="closed_by_partner", by="user")
    return Ending(reason="max_turns") if len(telling.turns) >= scenario.max_turns else None


def _responded(turn: Turn, telling: Telling) -> Turn:
    """With its response type; of one who plays freely, with its answer, and whether it stops: a refusal does where
    something was said to be unknown.
    """
    plan = telling.plan
    free = turn.intent_requested == FREE
    read = read_response(turn.text, plan["answer_kind"], plan["choices"])
    response = read if turn.answer is None else Response("answer_attempt", turn.answer)
    labels: dict[str, Any] = turn.labels | {"response_type": response.type}
    if telling.scenario.policy == "privileged":
        labels["clairvoyant"] = _clairvoyant(turn, telling)
    if not free:
        return turn.model_copy(update={"labels": labels})
    asks = response.type in ("clarification", "interrogation")
    stops = response.type == "refuse" and bool(telling.denied)
    intent = "answer" if response.answer is not None else "ask" if asks else "stop" if stops else "wait"
    known: dict[str, Any] = {"labels": labels, "answer": response.answer, "acts": (intent,), "decision": intent}
    return turn.model_copy(update=known | {"intent_detected": intent})


def _clairvoyant(turn: Turn, telling: Telling) -> bool:
    """Whether a turn does not follow from what was said: one stops before anybody said that nobody knows, waits for
    what nobody announced, or answers while something may be missing.
    """
    match turn.intent_requested:
        case "stop":
            return not telling.denied
        case "wait":
            return not telling.announced
        case "answer":
            return bool(telling.needed) or not (telling.done or telling.at_once or not telling.missing)
        case _:
            return False


@cache
def _built_in() -> tuple[Template, ...]:
    """Templates of two shards or more whose sharding is valid."""
    found: list[Template] = []
    for template in catalog.ALL:
        sharded = from_template(template, Random(0))
        texts = [fact.text for fact in sharded.shards]
        if len(texts) > 1 and all(check.valid for check in checks(sharded.problem.public, sharded.first, texts)):
            found.append(template)
    return tuple(found)


@cache
def _loaded(path: Path) -> tuple[Sharded, ...]:
    return load(path).problems
