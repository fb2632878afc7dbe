"""What each learner turn did to the mind of somebody who is asked for something (methods §19): rewards shaped by a
potential, so that the optimum stays where it was.
"""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from pydantic import Field

from rewards.folds import Step, steps
from rewards.needs import mind
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue

NAME = "state_transition"
WHOLE = "state_gain"
_TOP = {"cooperation": 4, "emotion": 3, "trust": 5}


class StateTransition(Reward):
    """Of each learner turn: gamma Phi(s') - Phi(s), and in the last one 1 where the partner accepts. s is the state
    before the turn, s' before the learner's next one; after the last turn Phi is 0, however the dialogue ends, so that
    the discounted sum of the shaping is -Phi of the first state whatever was done in between.

    Phi = (cooperation/4 + emotion/3 + trust/5 + share of the concerns that are resolved, by severity) / 4. Stating a
    concern resolves nothing.

    `state_gain`, of the dialogue: the mean change of cooperation, emotion and trust from start to end, each over its
    range.

    None where the family keeps no such state, and where a fault cut the dialogue off.
    """

    gamma: float = Field(default=1.0, gt=0, le=1)
    """Discount per learner turn: the trainer's, or the optimum moves."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        found, start = steps(dialogue), mind(dialogue, ())
        if start is None or dialogue.ending.reason == "fault" or not found:
            reason = "no_state" if start is None else "no_learner_turns" if not found else "fault"
            return [
                RewardValue(name=NAME, scope="turn", value=None, reason=reason),
                RewardValue(name=WHOLE, value=None, reason=reason),
            ]
        return [self._turn(dialogue, step, step is found[-1]) for step in found] + [_whole(dialogue, start)]

    def _turn(self, dialogue: Dialogue, step: Step, last: bool) -> RewardValue:
        before = mind(dialogue, step.before)
        after = mind(dialogue, (*step.before, step.turn, *step.replies))
        assert before is not None and after is not None
        phi, phi_next = potential(before), 0.0 if last else potential(after)
        terminal = float(last and after["decision"] == "accept")
        shaping = self.gamma * phi_next - phi
        parts = {
            "phi": phi,
            "phi_next": phi_next,
            "gamma": self.gamma,
            "shaping": shaping,
            "terminal": terminal,
            "delta_state": {n: after[n] - before[n] for n in (*_TOP, "patience")},
            "resolved": sorted(c for c in _resolved(after) if c not in _resolved(before)),
        }
        return RewardValue(name=NAME, scope="turn", turn=step.place, value=terminal + shaping, parts=parts)


def potential(state: Mapping[str, Any]) -> float:
    """Phi in [0, 1] of a stored state; exact before it is rounded to a float."""
    severity: Mapping[str, int] = state["severity"]
    total = sum(severity.values())
    share = Fraction(sum(severity[c] for c in _resolved(state)), total) if total else Fraction(1)
    return float((sum((Fraction(state[n], top) for n, top in _TOP.items()), share)) / 4)


def _resolved(state: Mapping[str, Any]) -> list[str]:
    return [c for c, status in state["concerns"].items() if status == "resolved"]


def _whole(dialogue: Dialogue, start: Mapping[str, Any]) -> RewardValue:
    end = mind(dialogue, dialogue.turns)
    assert end is not None
    deltas = {n: (end[n] - start[n]) / top for n, top in _TOP.items()}
    parts = {"deltas": deltas, "phi_start": potential(start), "phi_end": potential(end)}
    return RewardValue(name=WHOLE, value=sum(deltas.values()) / len(deltas), parts=parts)
