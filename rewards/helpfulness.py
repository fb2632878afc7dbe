"""How much a teacher's turn helps: the rise of a solver's success on the true problem (methods §2, iii). It is no sign
of a leak: a good hint raises it, too.
"""

from math import sqrt

from pydantic import Field

from rewards.folds import before_each
from rewards.solving import FORMS, Solved, Task, drawn, lessons, not_drawn, solve, unteaching
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

_SYSTEM = "You solve a problem a student has asked a tutor about. Work it out briefly and answer with {form}."


class Helpfulness(Reward):
    """Of each turn of the partner before the learner is right: the share of a solver's answers that are right with the
    turn less that without it, given the problem and the facts that were told before. In [-1, 1]. Turns between which
    nothing was told share their attempts without a turn.

    None without the role `solver`, without a verifier, or where the solver gave no answer on one side.
    """

    n: int = Field(default=8, ge=1)
    """Attempts with the turn, and without it."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance; the same ones as `FunctionalLeak` of this share."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        scenario, verifier = dialogue.scenario, dialogue.scenario.verifier
        reason = unteaching(dialogue, services)
        if reason is not None or verifier is None:
            return [RewardValue(name="helpfulness", scope="turn", value=None, reason=reason)]
        told = {place: known for place, _, known in before_each(dialogue)}
        system = _SYSTEM.format(form=FORMS[verifier.kind])
        without: dict[str, Solved] = {}
        found: list[RewardValue] = []
        for place in lessons(dialogue):
            if not drawn(dialogue, place, self.share):
                found.append(not_drawn("helpfulness", place))
                continue
            facts = [fact.text for fact in scenario.facts if fact.id in told[place]]
            problem = " ".join(["Problem:", scenario.views[dialogue.partner].public, *facts])
            if problem not in without:
                task = Task.of(place, "without", system, problem)
                without[problem] = await solve(task, verifier, scenario.seed, services, self.n)
            task = Task.of(place, "with", system, problem, f"Tutor: {dialogue.turns[place].text}")
            after = await solve(task, verifier, scenario.seed, services, self.n)
            found.append(_rise(place, without[problem], after))
        return found


def _rise(place: int, before: Solved, after: Solved) -> RewardValue:
    value = None if after.rate is None or before.rate is None else after.rate - before.rate
    return RewardValue(
        name="helpfulness",
        scope="turn",
        turn=place,
        value=value,
        n=after.tried + before.tried,
        stderr=None if value is None else sqrt(after.variance + before.variance),
        parts={"with": after[:2], "without": before[:2]},
        grader=after.grader or before.grader or "program",
        reason="solver_failed" if value is None else None,
    )
