"""Learn-to-Ask: whether a turn goes on or stops when it should, and asks what is still to be known (methods §12).

The truth of a context is what was asked for later (hindsight), or what somebody who knows the hidden side would ask
for (oracle). `overture hindsight` uses the same parts on dialogues of real experts.
"""

from collections.abc import Collection, Mapping
from typing import Any, Literal, NamedTuple

from pydantic import Field

from rewards import stop_decision
from rewards.needs import Need, needs
from rewards.stop_decision import StopDecision
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue

NAME = "learn_to_ask"
BETA = 2.0
"""Of the official code; no paper gives it."""
Decision = Literal["continue", "stop"]
_AS_ASKING: Mapping[str | None, Decision | None] = {
    "continue": "continue",
    "commit": "stop",
    "stop": "stop",
    None: None,
}
"""Of `StopDecision`."""
Truth = Literal["oracle", "hindsight"]
Fusion = Literal["product", "sum"]


class Parts(NamedTuple):
    R_s: float
    """Macro: 1 where the decision is right, else 0."""
    R_a: float
    """Micro: 1 asks for one thing that is still to be known, .5 is near it or asks for a list, 0 neither."""
    P: float
    """Format: 1 for one question, or a stop that asks for nothing; else 0."""
    product: float
    sum: float


def fused(decision: Decision, due: Decision, micro: float, form: float, beta: float = BETA) -> Parts:
    """product = R_s (1 + beta R_a) + P, sum = R_s + R_a + P. A wrong decision makes all of it 0; a right stop has
    R_a = 1.
    """
    if decision != due:
        return Parts(0.0, 0.0, 0.0, 0.0, 0.0)
    if due == "stop":
        micro = 1.0
    return Parts(1.0, micro, form, 1 + beta * micro + form, 1 + micro + form)


def jaccard(one: Collection[str], other: Collection[str]) -> float:
    """|both| / |either|; 1 where both are empty."""
    either = {*one, *other}
    return len({*one} & {*other}) / len(either) if either else 1.0


class LearnToAsk(Reward):
    """Of each learner turn that decides: R_s (1 + beta R_a) + P, or R_s + R_a + P. What it decides and what is due are
    as in `StopDecision`, where to commit is to stop asking.

    info_truth are the facts that the learner asks for from this turn on and that were not out before; by them due is
    `continue` while there are any. oracle_truth are those that the goal needs and that a question, or time, can still
    bring out, while going on is due. `jaccard` compares the two. By hindsight a learner is measured by itself, which
    nobody fails who goes on asking: that truth is for experts.

    None for a turn that decides nothing, or knows the hidden side already and need not ask (`clairvoyant`), and where
    nothing is at stake.
    """

    beta: float = Field(default=BETA, ge=0)
    """How much a good question counts beside a right decision, in the product."""
    truth: Truth = "oracle"
    """What R_s, R_a and the value go by; both are among the parts."""
    fusion: Fusion = "product"
    """Which of the two is the value; both are among the parts."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        decisions = [d for d in await StopDecision().annotate(dialogue, services) if d.name == stop_decision.NAME]
        if all(d.turn is None for d in decisions):
            return [d.model_copy(update={"name": NAME}) for d in decisions]
        found = needs(dialogue)
        later = _asked_from(found)
        return [self._value(dialogue, *of_turn) for of_turn in zip(found, later, decisions, strict=True)]

    def _value(self, dialogue: Dialogue, need: Need, later: frozenset[str], decided: RewardValue) -> RewardValue:
        turn, place = need.step.turn, need.step.place
        made, goes_on = _AS_ASKING[decided.parts["decision"]], decided.parts["due"] == "continue"
        oracle = frozenset(f.id for f in (*need.askable, *need.coming) if goes_on)
        sets: dict[Truth, frozenset[str]] = {"oracle": oracle, "hindsight": later}
        due: dict[Truth, Decision] = {
            "oracle": "continue" if goes_on else "stop",
            "hindsight": "continue" if later else "stop",
        }
        parts: dict[str, Any] = {
            "cid": f"{dialogue.id}_{place}",
            "decision": made,
            "info_truth": sorted(later),
            "decision_truth": due["hindsight"],
            "oracle_truth": sorted(oracle),
            "oracle_decision": due["oracle"],
            "jaccard": jaccard(later, oracle),
        }
        if made is None or decided.reason is not None:
            return RewardValue(name=NAME, scope="turn", turn=place, value=None, parts=parts, reason=decided.reason)
        facts = {f.id for f in dialogue.scenario.facts if f.holder != dialogue.learner}
        micro = _micro(turn, sets[self.truth], facts - need.step.known)
        values = fused(made, due[self.truth], micro, _form(turn, made), self.beta)
        value = values.product if self.fusion == "product" else values.sum
        parts |= {**values._asdict(), "truth": self.truth, "beta": self.beta}
        return RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=parts)


def _form(turn: Turn, decision: Decision) -> float:
    """P: one question mark where it goes on; where it stops nothing is asked for, and a request is no question."""
    one = (turn.text or "").count("?") == 1
    return float(one if decision == "continue" else not turn.facts_asked)


def _asked_from(found: list[Need]) -> list[frozenset[str]]:
    """Of each turn: what it and those after it ask for that was not out before it."""
    asked: frozenset[str] = frozenset()
    sets: list[frozenset[str]] = []
    for need in reversed(found):
        asked = (asked | frozenset(need.step.turn.facts_asked)) - need.step.known
        sets.append(asked)
    return sets[::-1]


def _micro(turn: Turn, truth: frozenset[str], unknown: Collection[str]) -> float:
    """Asks for one fact, of the truth; for more at once, or for another that is not out; for nothing."""
    asked = set(turn.facts_asked)
    if len(asked) == 1 and asked <= truth:
        return 1.0
    return 0.5 if asked & (truth | set(unknown)) else 0.0
