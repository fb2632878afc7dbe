"""How much a teacher's turn helps: the rise of a solver's success on the true problem (methods §2, iii). It is no sign
of a leak: a good hint raises it, too.
"""

from math import sqrt

from pydantic import Field

from rewards.folds import before_each
from rewards.solving import FORMS, Task, lessons, solve, unteaching
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

_SYSTEM = "You solve a problem a student has asked a tutor about. Work it out briefly and answer with {form}."


class Helpfulness(Reward):
    """Of each turn of the partner before the learner is right: the share of a solver's answers that are right with the
    turn less that without it, given the problem and the facts that were told before. In [-1, 1].

    None without the role `solver`, without a verifier, or where the solver gave no answer on one side.
    """

    n: int = Field(default=8, ge=1)
    """Attempts with the turn, and without it."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        scenario, verifier = dialogue.scenario, dialogue.scenario.verifier
        reason = unteaching(dialogue, services)
        if reason is not None or verifier is None:
            return [RewardValue(name="helpfulness", scope="turn", value=None, reason=reason)]
        told = {place: known for place, _, known in before_each(dialogue)}
        system = _SYSTEM.format(form=FORMS[verifier.kind])
        found: list[RewardValue] = []
        for place in lessons(dialogue):
            facts = [fact.text for fact in scenario.facts if fact.id in told[place]]
            problem = " ".join([scenario.views[dialogue.partner].public, *facts])
            said = f"Tutor: {dialogue.turns[place].text}"
            with_it = Task.of(place, "with", system, f"Problem: {problem}", said)
            without = Task.of(place, "without", system, f"Problem: {problem}")
            after = await solve(with_it, verifier, scenario.seed, services, self.n)
            before = await solve(without, verifier, scenario.seed, services, self.n)
            parts = {"with": after[:2], "without": before[:2]}
            rise = None if after.rate is None or before.rate is None else after.rate - before.rate
            found.append(
                RewardValue(
                    name="helpfulness",
                    scope="turn",
                    turn=place,
                    value=rise,
                    n=after.tried + before.tried,
                    stderr=None if rise is None else sqrt(after.variance + before.variance),
                    parts=parts,
                    grader=after.grader or before.grader or "program",
                    reason="solver_failed" if rise is None else None,
                )
            )
        return found
