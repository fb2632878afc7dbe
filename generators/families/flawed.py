"""Problems that must be talked through (methods §4): somebody brings a problem that lacks something, or one that was
rewritten in the same way and lacks nothing. The learner should ask when and only when the answer cannot be known.

Both are variants of one case, so a group holds them. Policies: `proactive` reads the problem and asks for what is in
doubt and seems to matter; `reactive` answers at once; `privileged` knows whether anything is lacking, and the answer.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from generators.asked import read
from generators.clarifying import LEADS, Inquiry, user_move
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.session import INITIATIVE, Cell, SessionLatents, draw_session
from generators.noise.typing import typed
from generators.solving import HOW, asked, assistant_move
from generators.speakers.asker import Asker
from generators.speakers.chat_user import TYPING
from generators.speakers.external import FREE
from generators.speakers.solver import Solver
from generators.tasks.flawed import KINDS, Flaw
from generators.tasks.flawed_sets import Case, Form, built_in, loaded, of_file
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.scenario import Fact, Scenario, Verifier, View

CELLS: Mapping[Cell, float] = {"needed": 0.8, "impossible": 0.2}
"""Of the flawed form; impossible: the user does not know what is lacking, either. Its control is `useless` (what is
lacking there nobody needs), or `given` where it is complete.
"""
NO_ANSWER = Verifier(kind="text", answer="it cannot be known")
"""Where nobody can know: whatever is guessed is wrong."""
REMOVED = "removed"
"""The id of what was taken out of the problem."""


@cache
def _fitted() -> FittedLatents:
    return committed("small_talk_latents")


class Flawed(Family):
    """A problem that lacks something, and one that does not; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": Solver(), "user": Asker()}

    problems: Path | None = None
    """JSONL or Parquet of worked problems instead of the built-in templates: those whose solution is a program."""
    sets: Path | None = None
    """JSONL or Parquet of flawed problems with their controls (`answerable`), as they are."""
    kinds: dict[Flaw, float] = Field(default_factory=lambda: dict.fromkeys(KINDS, 1.0), min_length=1)
    """Flaws by weight, among those that the problem drawn allows. Of loaded sets nothing is made."""
    latents: Latents = Field(default_factory=_fitted)
    """What users are drawn from: the path of a file that `overture fit` wrote. Default: that of small talk."""
    max_turns: int = 8
    """Most messages of a dialogue, the problem's statement included."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.problems is not None and self.sets is not None:
            raise ValueError("problems and sets: give one of the two; each is a run of its own")
        return self

    @property
    def variants(self) -> int:
        """The flawed problem and its control."""
        return 2

    def sample(self, rng: Random) -> Scenario:
        case = self._case(rng)
        session = self._session(case, rng)
        return self._brought(case, session, _lead(session, rng))

    def another(self, case: Callable[[], Random], rng: Random) -> Scenario:
        """The same problem in the same words, brought by another person, who may not know what is lacking, either."""
        drawn = case()
        same = self._case(drawn)
        lead = _lead(self._session(same, drawn), drawn)
        return self._brought(same, self._session(same, rng), lead)

    def _session(self, case: Case, rng: Random) -> SessionLatents:
        cells: Mapping[Cell, float] = {"impossible": 1.0} if case.flawed.removed is None else CELLS
        return draw_session(rng, self.latents, "brings a problem", cells)

    def _brought(self, case: Case, session: SessionLatents, lead: str) -> Scenario:
        private = {TYPING: session.person.typing().model_dump_json()}
        scenario = Scenario(
            family=self.name(),
            domain="word_problems",
            base_case_id=case.base_case_id,
            seed=0,
            goal="the problem is answered, or it is said that it cannot be",
            views={
                "user": View(role="user", brief="You text an assistant about a problem.", private=private),
                "assistant": View(role="assistant", brief="You help with problems."),
            },
            session_latents=session.label(),
            plan={
                "rewriting": case.rewriting,
                "lead": lead,
                "answer_format": HOW,
                "forms": [case.flawed.model_dump(mode="json"), case.control.model_dump(mode="json")],
            },
            max_turns=self.max_turns,
        )
        return self.vary(scenario, 0)

    def _case(self, rng: Random) -> Case:
        if self.sets is not None:
            return rng.choice(loaded(self.sets).cases)
        return of_file(self.problems, self.kinds, rng) if self.problems else built_in(self.kinds, rng)

    def vary(self, scenario: Scenario, variant: int) -> Scenario:
        """0: the flawed problem; 1: its control, brought by the same person."""
        form = Form.model_validate(scenario.plan["forms"][variant])
        cell: Cell = scenario.session_latents["cell"]
        if variant:
            cell = "given" if form.removed is None else "useless"
        public = f"{scenario.plan['lead']} {form.question}".strip()
        facts = _facts(form, known=cell != "impossible")
        user = scenario.views["user"].model_copy(update={"public": public, "facts": facts})
        removed = form.removed
        told = {
            "problem": form.question,
            "flaw_type": form.flaw_type,
            "slot": removed and removed.slot,
            "removed_span": removed and removed.value,
            "shown": removed and list(removed.shown),
        }
        return scenario.model_copy(
            update={
                "views": {"user": user, "assistant": scenario.views["assistant"].model_copy(update={"public": public})},
                "session_latents": scenario.session_latents | {"cell": cell, "initiative": INITIATIVE[cell]},
                "verifier": NO_ANSWER if cell == "impossible" else form.verifier,
                "plan": scenario.plan | told,
            }
        )

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if not turns:
            return Move(role="user", intent="pose", verbatim=scenario.views["user"].public)
        last = turns[-1]
        if last.answer is not None:
            return Ending(reason="goal_reached" if last.answer_correct else "closed_by_learner", by="assistant")
        if last.role == "assistant" and "stop" in last.acts:
            return Ending(reason="closed_by_learner", by="assistant")
        if last.intent_requested == "close":
            return Ending(reason="gave_up", by="user")
        if len(turns) >= scenario.max_turns:
            return Ending(reason="max_turns")
        inquiry = Inquiry.of(scenario, turns)
        return user_move(inquiry) if last.role == "assistant" else assistant_move(inquiry)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """The verifier's result, and whether a question is for what is lacking: neither side may compute them. Of a
        free assistant, what its message does, too.
        """
        if turn.role != "assistant":
            return turn
        inquiry = Inquiry.of(scenario, turns)
        if turn.intent_requested == FREE:
            turn = read(turn, "number")
        labels = dict(turn.labels)
        if scenario.policy == "privileged":
            open_ = inquiry.flawed and not inquiry.told
            labels["clairvoyant"] = "ask" not in turn.acts and open_ and not inquiry.unknown
        if turn.answer is not None and scenario.verifier is not None:
            checked = await services.verify(scenario.verifier, turn.answer, len(turns))
            known = {"answer_correct": checked.correct, "labels": labels | {"verdict": checked.reason}}
            return turn.model_copy(update=known)
        if "ask" in turn.acts:
            found, near = await asked(inquiry, turn.text or "", services)
            labels["asked_right_slot"] = (1.0 if found else 0.5 if near else 0.0) if inquiry.flawed else None
            return turn.model_copy(update={"facts_asked": found, "labels": labels})
        return turn.model_copy(update={"labels": labels})

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        inquiry, plan = Inquiry.of(scenario, turns), scenario.plan
        answer = next((t for t in turns if t.answer is not None), None)
        asks, correct = bool(inquiry.questions), bool(answer and answer.answer_correct)
        abstained = answer is None and any("stop" in t.acts for t in turns)
        if not inquiry.flawed:
            success = correct and not asks
        elif inquiry.session.initiative != "hopeless":
            success = correct and inquiry.told
        else:  # what a loaded set lacks nobody has taken note of: asking for it is all that can be done
            success = abstained or (inquiry.fact is None and asks and answer is None)
        right = [t.labels["asked_right_slot"] for t in inquiry.questions]
        return {
            "success": success,
            "flaw_type": plan["flaw_type"],
            "rewriting": plan["rewriting"],
            "missing_slot": plan["slot"] if inquiry.flawed else None,
            "removed_span": plan["removed_span"] if inquiry.flawed else None,
            "asked": asks,
            "asked_right_slot": max(right, default=0.0) if inquiry.flawed else None,
            "asked_on_answerable": asks and not inquiry.flawed,
            "final_correct": correct,
            "answer": answer.answer if answer else None,
            "abstained": abstained,
            "cell": inquiry.session.cell,
            "initiative": inquiry.session.initiative,
            "questions": len(inquiry.questions),
            "patience_spent": inquiry.spent,
        }


def _lead(session: SessionLatents, rng: Random) -> str:
    """What stands before the problem, as this person types."""
    return typed(rng.choice(LEADS), session.person.typing().model_copy(update={"ending_rate": 0.0}), rng)


def _facts(form: Form, known: bool) -> tuple[Fact, ...]:
    """What the user can tell."""
    removed = form.removed
    if removed is None:
        return ()
    fact = Fact(
        id=REMOVED,
        holder="user",
        slot=removed.asks.rstrip("."),
        value=removed.value,
        text=removed.sentence,
        required=form.flaw_type != "none",
        disclose="asked" if known else "never",
    )
    return (fact,)
