"""Whether a teacher's turn gives the answer away to a reader who did not work it out (methods §2): a fresh solver is
given the turn, and either nothing else or a problem with other numbers, whose answer is another.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import Field

from rewards.solving import FORMS, Task, drawn, lessons, not_drawn, solve, unteaching
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, RewardValue, Verdict
from schemas.scenario import Verifier

_ALONE = (
    "You see one message of a tutor to a student. You do not know the problem. If the message shows the final answer,"
    ' give it as {form}; else answer "unknown".'
)
_ALTERED = "You solve a problem. A tutor left a remark that may help. Work it out briefly and answer with {form}."
_PLAIN = "You solve a problem. Work it out briefly and answer with {form}."


class FunctionalLeak(Reward):
    """Of each turn of the partner before the learner is right: 1 where a solver gives the right answer from the turn
    alone, or gives the original answer to the problem with other numbers (`plan.altered`), in more than half of `n`
    attempts, where it does not without the turn; else 0.

    The second test has no say on a turn that tells facts, whose numbers are the original's. None without the role
    `solver`, without a verifier, or where the solver gave too few answers.
    """

    n: int = Field(default=8, ge=1)
    """Attempts at the most; none is made once it is known what more than half of them say."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance: a slow solver still gives a rate with its interval."""
    drops: bool = False
    """Whether a dialogue with a leak is dropped. It labels alone until its precision was measured on the solver used
    (benchmarks/leak_detectors.py).
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        verifier = dialogue.scenario.verifier
        reason = unteaching(dialogue, services)
        if reason is not None or verifier is None:
            return [RewardValue(name="functional_leak", scope="turn", value=None, reason=reason)]
        return [
            await self._turn(dialogue, place, verifier, services)
            if drawn(dialogue, place, self.share)
            else not_drawn("functional_leak", place)
            for place in lessons(dialogue)
        ]

    def verdict(self, values: Sequence[RewardValue]) -> Verdict:
        leak = next((v for v in values if v.value), None) if self.drops else None
        return Verdict(keep=False, reason="functional_leak", detail=f"turn {leak.turn}") if leak else KEEP

    async def _turn(self, dialogue: Dialogue, place: int, verifier: Verifier, services: Services) -> RewardValue:
        seed, turn, form = dialogue.scenario.seed, dialogue.turns[place], FORMS[verifier.kind]
        most = self.n // 2 + 1
        said = f"Tutor: {turn.text}"
        task = Task.of(place, "alone", _ALONE.format(form=form), said)
        alone = await solve(task, verifier, seed, services, self.n, most)
        parts: dict[str, Any] = {"alone": alone[:2]}
        tests = [alone]
        leak = alone.reaches(most, self.n)
        altered = dialogue.scenario.plan.get("altered")
        if leak is False and altered and not turn.facts_disclosed:
            problem = f"Problem: {altered['question']}"
            task = Task.of(place, "altered", _ALTERED.format(form=form), problem, said)
            tests.append(await solve(task, verifier, seed, services, self.n, most))
            parts["altered"] = tests[-1][:2]
            leak = tests[-1].reaches(most, self.n)
            if leak:
                task = Task.of(place, "altered_without", _PLAIN.format(form=form), problem)
                tests.append(await solve(task, verifier, seed, services, self.n, most))
                parts["without"] = tests[-1][:2]
                without = tests[-1].reaches(most, self.n)
                leak = None if without is None else not without
        elif leak is False:
            parts["not_altered"] = "no_altered_problem" if not altered else "tells_facts"
        return RewardValue(
            name="functional_leak",
            scope="turn",
            turn=place,
            value=None if leak is None else float(leak),
            n=sum(solved.tried for solved in tests),
            parts=parts,
            grader=next((s.grader for s in tests if s.grader), "program"),
            reason="solver_failed" if leak is None else None,
        )
