"""Whether a flawed problem lacks what it is said to lack, and nothing else (methods §4): a fresh solver fails without
it, succeeds once it is told, and names it as what is missing. Of a control: whether it can be solved as it stands.
"""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pydantic import Field

from rewards.solving import FORMS, Solved, Task, attempts, solve, untestable
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, RewardValue, Verdict
from schemas.scenario import Fact, Scenario, Verifier, parse_number

_SOLVE = 'You solve a problem. Work it out briefly and answer with {form}. If it cannot be known, answer "unknown".'
_NAME = "A problem may lack something that its answer needs. Say in a few words what is missing or unclear in it."
_MISSING = {
    "type": "object",
    "properties": {"missing": {"type": "string", "minLength": 1, "maxLength": 120}},
    "required": ["missing"],
    "additionalProperties": False,
}
_REMOVED = -1
"""What was removed, beside the places of the sentences that are whole."""
_SENTENCES = re.compile(r"(?<=[.!?])\s+")


class Necessity(Reward):
    """Of a problem in `plan.problem`. Flawed: 1 where a solver is right at most once in `n` attempts without what was
    removed and no answer is given by more than half of them (necessity), and wrong at most once where it is told
    (sufficiency); else 0. A control: 1 where it is wrong at most once on the problem as it stands; else 0.

    `parts.unique`: whether of all that the flawed problem says, what was removed is most often named as missing.

    None without the role `solver`, without a verifier, where nobody knows what is lacking, or where the solver gave too
    few answers.
    """

    n: int = Field(default=8, ge=4)
    """Attempts of each test at the most; none is made once it is known how it ends."""
    k: int = Field(default=5, ge=1)
    """Times that the solver names what is missing."""
    drops: bool = False
    """Whether a dialogue is dropped whose problem fails, or lacks something else by most of the `k`. It labels alone
    until its precision was measured on the solver used.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        scenario, verifier = dialogue.scenario, dialogue.scenario.verifier
        flaw = scenario.plan.get("flaw_type")
        removed = None if flaw == "none" else next(iter(scenario.facts), None)
        reason = untestable(dialogue, services)
        if flaw is None:
            reason = "no_flawed_problem"
        elif reason is None and flaw != "none" and removed is None:
            reason = "nothing_removed"
        if reason is not None or verifier is None:
            return [RewardValue(name="necessity", value=None, reason=reason)]
        return [await self._value(scenario, verifier, removed, services)]

    def verdict(self, values: Sequence[RewardValue]) -> Verdict:
        for value in values if self.drops else ():
            if value.value == 0:
                failed = "not_sufficient" if value.parts["sufficient"] is False else "not_necessary"
                return Verdict(keep=False, reason=failed)
            if value.parts.get("unique") is False:
                return Verdict(keep=False, reason="not_unique")
        return KEEP

    async def _value(
        self, scenario: Scenario, verifier: Verifier, removed: Fact | None, services: Services
    ) -> RewardValue:
        system, problem = _SOLVE.format(form=FORMS[verifier.kind]), f"Problem: {scenario.plan['problem']}"
        told = [] if removed is None else [f"Correct is: {removed.text}"]
        task = Task.of(0, "sufficiency", system, problem, *told)
        whole = await solve(task, verifier, scenario.seed, services, self.n, self.n - 1)
        holds = sufficient = whole.reaches(self.n - 1, self.n)
        parts: dict[str, Any] = {"sufficient": sufficient, "whole": whole[:2]}
        tests = [whole]
        if removed is not None:
            task = Task.of(0, "necessity", system, problem)
            tests.append(await solve(task, verifier, scenario.seed, services, self.n, 2))
            parts["necessary"] = necessary = self._necessary(tests[-1])
            parts["lacking"] = tests[-1][:2]
            parts["unique"], parts["named"] = await self._unique(scenario, removed, services)
            holds = False if False in (sufficient, necessary) else None if None in (sufficient, necessary) else True
        return RewardValue(
            name="necessity",
            value=None if holds is None else float(holds),
            n=sum(solved.tried for solved in tests),
            parts=parts,
            grader=next((s.grader for s in tests if s.grader), "program"),
            reason="solver_failed" if holds is None else None,
        )

    def _necessary(self, lacking: Solved) -> bool | None:
        """Seldom right, and no common-sense default."""
        seldom = lacking.reaches(2, self.n)
        numbers = Counter(n for answer in lacking.answers if (n := parse_number(answer)) is not None)
        default = max(numbers.values(), default=0) > lacking.tried / 2
        return None if seldom is None else not seldom and not default

    async def _unique(self, scenario: Scenario, removed: Fact, services: Services) -> tuple[bool | None, list[str]]:
        """Whether what was removed is named most often, and what was named; None where too little was.

        What is named is what it is nearest to: the slot, a sentence that shows it unclear, or a whole sentence.
        """
        problem, shown = str(scenario.plan["problem"]), [str(words) for words in scenario.plan["shown"]]
        task = Task.of(0, "missing", _NAME, f"Problem: {problem}")
        replies = [r async for r in attempts(task, _MISSING, scenario.seed, services, self.k)]
        named = [str(reply.data["missing"]) for reply in replies]
        if len(named) <= self.k / 2:
            return None, named
        *told, _ = _SENTENCES.split(problem)
        meant = [(_REMOVED, removed.slot), (_REMOVED, str(scenario.plan["slot"]))]
        for n, sentence in enumerate(told):
            unclear = any(re.search(rf"(?<!\w){re.escape(words)}(?!\w)", sentence) for words in shown)
            meant.append((_REMOVED if unclear else n, sentence))
        vectors = await services.embed.embed([*named, *(text for _, text in meant)])
        nearest = (vectors[: len(named)] @ vectors[len(named) :].T).argmax(axis=1)
        votes = Counter(meant[int(n)][0] for n in nearest)
        return votes[_REMOVED] > max((v for place, v in votes.items() if place != _REMOVED), default=0), named
