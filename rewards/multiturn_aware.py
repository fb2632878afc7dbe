"""What a turn of the learner is worth by how the dialogue goes on from it (methods §3, CollabLLM's MR)."""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Annotated, Any, NamedTuple

from pydantic import Field

from rewards.folds import learner_turns, success, wanted_facts
from schemas.contracts import Reward, Roll, Rolled, Services
from schemas.dialogue import Dialogue, Origin, Turn
from schemas.identity import rng
from schemas.judgement import RewardValue

NAME = "multiturn_aware"
OPEN = "window"
"""How a rollout ends that was cut."""

Count = Annotated[int, Field(strict=True, ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]


class Worth(NamedTuple):
    """R* of one rollout: R_ext + R_int (§3), with its parts."""

    r_ext: float | None
    r_ext_is: str
    """`success` of a dialogue that ended; of one that is open `facts_out`, the share of the wanted facts that are out,
    or `success_so_far` where nothing is to be found out.
    """
    r_int_tokens_raw: float
    """-lambda times the learner's tokens."""
    r_int_tokens_clamped: float
    """The same, no less than -1: what R* has of it."""
    reason: str | None

    @property
    def value(self) -> float | None:
        return None if self.r_ext is None else self.r_ext + self.r_int_tokens_clamped


class Sample(NamedTuple):
    rolled: Rolled
    worth: Worth


class Candidate(NamedTuple):
    number: int
    """0: the turn as it was said."""
    turn: Turn | None
    """None: the learner's speaker found no words."""
    samples: tuple[Sample, ...] = ()

    @property
    def values(self) -> list[float]:
        """Of the rollouts that have one."""
        return [s.worth.value for s in self.samples if s.worth.value is not None]

    @property
    def mean(self) -> float | None:
        """MR; None unless every rollout has a value: those that fail are no fair draw of them."""
        return fmean(self.values) if self.values and len(self.values) == len(self.samples) else None

    @property
    def reason(self) -> str | None:
        if self.turn is None:
            return "no_candidate"
        return next((s.worth.reason for s in self.samples if s.worth.reason), None)

    def parts(self) -> dict[str, Any]:
        worths = [s.worth for s in self.samples]
        return {
            "text": None if self.turn is None else self.turn.text,
            "mr_samples": [w.value for w in worths],
            "mr_mean": self.mean,
            "mr_stderr": None if self.mean is None else stderr(self.values),
            "r_ext": [w.r_ext for w in worths],
            "r_ext_is": [w.r_ext_is for w in worths],
            "r_int_tokens_raw": [w.r_int_tokens_raw for w in worths],
            "r_int_tokens_clamped": [w.r_int_tokens_clamped for w in worths],
            "reason": self.reason,
        }


class MultiturnAware(Reward):
    """MR of turns of the learner drawn by chance: the mean of R* = R_ext + R_int over dialogues played on from the turn
    for a window, by the same speakers. Beside it, in `parts`, that of other turns the learner could have said there.

    R_int = -min(lambda tokens, 1), of the learner's tokens in the whole of it; R_LLM is None, nobody grades it. None
    without somebody who can play on (`no_roll`), without a turn to judge, or when a rollout fails (`rollout_failed`)
    or has no R_ext.
    """

    turns: Count = 1
    """Of the learner's, of each dialogue."""
    candidates: Count = 2
    """The turn as it was said, and others."""
    samples: Count = 2
    """Rollouts of each candidate."""
    window: Count = 2
    """Turns of a rollout, of either side, after the candidate."""
    token_cost: Annotated[float, Field(ge=0)] = 5e-4
    """Lambda, of one token (§3: 5e-4 for code and mathematics, 1e-4 for documents)."""
    keep: Share = 0.2
    """Of the rollouts of other candidates than the best, whose own all become rows under `branches/`."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        if services.roll is None:
            return [RewardValue(name=NAME, scope="turn", value=None, reason="no_roll")]
        places = [n for n, turn in learner_turns(dialogue) if turn.model is not None]
        if not places:
            return [RewardValue(name=NAME, scope="turn", value=None, reason="no_learner_turns")]
        draws = rng(dialogue.scenario.seed, NAME, dialogue.id)
        chosen = sorted(draws.sample(places, min(self.turns, len(places))))
        return [await self._value(dialogue, place, services.roll) for place in chosen]

    async def _value(self, dialogue: Dialogue, place: int, roll: Roll) -> RewardValue:
        found, took = list[Candidate](), list[Rolled]()
        for number in range(self.candidates):
            turn = dialogue.turns[place]
            if number:
                said = await roll.on(dialogue.turns[:place], f"{NAME}/{place}/{number}", 1)
                took.append(said)
                turn = _said(said.dialogue, place)
            found.append(await self._candidate(dialogue.turns[:place], number, turn, roll))
        took += [s.rolled for c in found for s in c.samples]
        draws = rng(dialogue.scenario.seed, NAME, dialogue.id, place, "continuation")
        best = max((c for c in found if c.mean is not None), key=lambda c: c.mean or 0.0, default=None)
        kept = [] if best is None else self._kept(dialogue, place, found, best, roll)
        return RewardValue(
            name=NAME,
            scope="turn",
            turn=place,
            value=found[0].mean,
            n=len(found[0].values),
            stderr=None if found[0].mean is None else stderr(found[0].values),
            parts={
                "candidates": [c.parts() for c in found],
                "best": None if best is None else best.number,
                "continuation_choice": None if best is None else draws.randrange(len(best.samples)),
                "kept": kept,
                "r_llm": None,
                "r_llm_reason": "no_grader",
                "lambda": self.token_cost,
                "window_messages": self.window,
                "n_samples": self.samples,
                "cost": cost(took),
            },
            reason=found[0].reason,
        )

    async def _candidate(self, before: Sequence[Turn], number: int, turn: Turn | None, roll: Roll) -> Candidate:
        if turn is None:
            return Candidate(number, None)
        paths = (f"{NAME}/{len(before)}/{number}/{sample}" for sample in range(self.samples))
        rolled = [await roll.on((*before, turn), path, self.window) for path in paths]
        return Candidate(number, turn, tuple(Sample(r, worth(r.dialogue, self.token_cost)) for r in rolled))

    def _kept(
        self, dialogue: Dialogue, place: int, found: Sequence[Candidate], best: Candidate, roll: Roll
    ) -> list[tuple[int, int]]:
        """Candidate and sample of every rollout that becomes a row."""
        draws, kept = rng(dialogue.scenario.seed, NAME, dialogue.id, place, "rows"), list[tuple[int, int]]()
        for candidate in found:
            origin = Origin(dialogue_id=dialogue.id, turn=place, candidate=candidate.number)
            for n, sample in enumerate(candidate.samples):
                if draws.random() < self.keep or candidate is best:
                    branch = sample.rolled.dialogue.model_copy(update={"origin": origin})
                    roll.keep(branch, [_of_branch(sample.worth, place)])
                    kept.append((candidate.number, n))
        return kept


def worth(rolled: Dialogue, token_cost: float) -> Worth:
    """R* of a dialogue that was played on."""
    ext, what, reason = _extrinsic(rolled)
    raw = -token_cost * learner_tokens(rolled)
    return Worth(ext, what, raw, max(raw, -1.0), reason)


def _extrinsic(rolled: Dialogue) -> tuple[float | None, str, str | None]:
    if rolled.ending.reason == "fault":
        return None, "success", "rollout_failed"
    reached, why = success(rolled)
    if rolled.ending.reason != OPEN:
        return reached, "success", why if reached is None else None
    if wanted := {fact.id for fact in wanted_facts(rolled)}:
        out = {i for turn in rolled.turns for i in (*turn.facts_disclosed, *turn.facts_volunteered)}
        return len(wanted & out) / len(wanted), "facts_out", None
    return reached, "success_so_far", why if reached is None else None


def learner_tokens(dialogue: Dialogue) -> int:
    """Of all it said: as its server counted them, else its words."""
    counted = [(t.completion_tokens, t.text or "") for _, t in learner_turns(dialogue)]
    return sum(len(text.split()) if tokens is None else tokens for tokens, text in counted)


def stderr(values: Sequence[float]) -> float | None:
    """Of their mean; None of fewer than two."""
    return stdev(values) / sqrt(len(values)) if len(values) > 1 else None


def cost(rolled: Sequence[Rolled]) -> dict[str, int]:
    """Of one label: answers and tokens, whether they were asked for or lay in the journal. What of it a prefix cache
    saved, and how long it took, no row says: that depends on the server (the run's manifest has the sums).
    """
    return {
        "calls": sum(r.calls for r in rolled),
        "prompt_tokens": sum(r.prompt_tokens for r in rolled),
        "completion_tokens": sum(r.completion_tokens for r in rolled),
    }


def _said(rolled: Dialogue, place: int) -> Turn | None:
    """The learner's turn there."""
    turn = rolled.turns[place] if len(rolled.turns) > place else None
    return turn if turn is not None and turn.role == rolled.learner else None


def _of_branch(worth: Worth, place: int) -> RewardValue:
    parts = {k: v for k, v in worth._asdict().items() if k != "reason"}
    return RewardValue(name=NAME, scope="branch", turn=place, value=worth.value, parts=parts, reason=worth.reason)
