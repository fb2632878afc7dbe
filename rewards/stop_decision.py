"""Whether the learner went on, committed itself or left when it should have, by what it still needed (methods §12:
R_s = 1 if s_t = s*_t, with the oracle target of a simulated dialogue).
"""

from collections.abc import Sequence
from typing import Any, Literal

from rewards.folds import wanted_facts
from rewards.needs import Need, asks, mind, needs
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue

NAME = "stop_decision"
WHOLE = "stop_in_time"
Decision = Literal["continue", "commit", "stop"]
_READY = 3
"""Cooperation from which a request may be accepted, and severity that has to be settled first (methods §19)."""


class StopDecision(Reward):
    """Of each learner turn that decides: 1 if it does what is due, else 0. It commits where it answers, recommends or
    requests; it stops where it leaves the matter; it continues where it asks or waits.

    Due is `continue` while something needed can still come out: by a question, or by itself. Then `commit`; but `stop`
    where all that is left was said to be unknown and an answer would have to be right, where nothing is possible any
    more, where nothing is wanted, and where it is over. Of a mind (methods §19) needed is what is unsettled.

    `stop_in_time`, of the dialogue: 1 if the first turn that does not go on does what is due, and none before it went
    on for too long; 0 otherwise, also where it never comes to that. Who always asks is right in most turns, and here
    never.

    None for a turn that does neither (a greeting, an explanation), for one that follows from the hidden side alone, and
    where nothing is at stake.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        found = needs(dialogue)
        minded = mind(dialogue, ()) is not None
        reason = None
        if not found:
            reason = "no_learner_turns"
        elif dialogue.scenario.verifier is None and not minded and not any(f.required for f in wanted_facts(dialogue)):
            reason = "nothing_at_stake"
        if reason is not None:
            return [
                RewardValue(name=NAME, scope="turn", value=None, reason=reason),
                RewardValue(name=WHOLE, value=None, reason=reason),
            ]
        turns = [self._value(dialogue, need, minded) for need in found]
        return [*turns, _whole(turns, dialogue.ending.reason == "fault")]

    def _value(self, dialogue: Dialogue, need: Need, minded: bool) -> RewardValue:
        turn, place = need.step.turn, need.step.place
        made = _requested(turn) if minded else _decided(turn)
        due = _due_of_mind(dialogue, need) if minded else _due(dialogue, need)
        clairvoyant = bool(turn.labels.get("clairvoyant"))
        reason = "no_decision" if made is None else "clairvoyant" if clairvoyant else None
        return RewardValue(
            name=NAME,
            scope="turn",
            turn=place,
            value=None if reason else float(made == due),
            parts={"decision": made, "due": due, "open": [f.id for f in need.open]},
            reason=reason,
        )


def _whole(turns: Sequence[RewardValue], cut: bool) -> RewardValue:
    made = [v for v in turns if v.parts["decision"] is not None]
    first = next((v for v in made if v.parts["decision"] != "continue"), None)
    before = made if first is None else made[: made.index(first)]
    late = sum(v.parts["due"] != "continue" for v in before)
    never = "fault" if cut else None
    reason = "no_decision" if not made else never if first is None else first.reason
    right = first is not None and first.value == 1 and not late
    parts = {"first": None if first is None else first.turn, "late": late}
    return RewardValue(name=WHOLE, value=None if reason else float(right), parts=parts, reason=reason)


def _decided(turn: Turn) -> Decision | None:
    said = {turn.intent_requested, turn.intent_detected, turn.decision, *turn.acts}
    if turn.answer is not None or turn.labels.get("item"):
        return "commit"
    if said & {"stop", "close", "withdraw"}:
        return "stop"
    waits = turn.kind == "silence" or bool(said & {"wait", "silent"})
    return "continue" if waits or asks(turn) else None


def _requested(turn: Turn) -> Decision | None:
    seen: dict[str, Any] = turn.labels.get("appraisal", {})
    if seen.get("asks_for_commitment"):
        return "commit"
    if seen.get("closes"):
        return "stop"
    return "continue" if seen.get("asks_openly") or seen.get("asked") else None


def _due(dialogue: Dialogue, need: Need) -> Decision:
    scenario, before = dialogue.scenario, need.step.before
    left = need.step.turn.labels.get("candidates")
    verified = scenario.verifier is not None
    if any(t.answer_correct or t.intent_requested == "accept" for t in before) or left == 0:
        return "stop"
    if not verified and any(t.labels.get("decided") for t in before):
        return "stop"
    if left == 1 or not need.open:
        return "commit"
    if need.askable or need.coming:
        return "continue"
    return "stop" if verified and need.unknown else "commit"


def _due_of_mind(dialogue: Dialogue, need: Need) -> Decision:
    """By the state before the message and after it: it may settle the last concern and request in one."""
    before, after = mind(dialogue, need.step.before), mind(dialogue, (*need.step.before, need.step.turn))
    if before is None or after is None or need.refused or before["decision"] != "open":
        return "stop"
    unsettled = [c for c, s in after["concerns"].items() if s != "resolved" and after["severity"][c] >= _READY]
    answered = {f.value for f in dialogue.scenario.facts if f.holder == dialogue.learner}
    if any(before["concerns"][c] != "hidden" and c not in answered for c in unsettled):
        return "stop"
    ready = max(before["cooperation"], after["cooperation"]) >= _READY
    return "commit" if ready and not unsettled else "continue"
