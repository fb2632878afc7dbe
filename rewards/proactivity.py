"""Whether the learner took the initiative where it was needed, and only there (methods §13, §15).

                      it was needed        it was not
takes the initiative  correct_detection    false_alarm
does not              missed_need          non_response
"""

from typing import Any, Literal, NamedTuple

from rewards.needs import Need, asks, mind, needs
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue

NAME = "proactivity"
Kind = Literal["correct_detection", "missed_need", "false_alarm", "non_response"]
_LEADS = ("offer", "bridge")
_UNMOVED = ("decline", "bye")
_LISTED = 3
"""Things asked for in one message from which it is a list."""


class Proactivity(Reward):
    """Of each learner turn: 1 for a correct detection or a rightful non-response, 0 for a missed need or a false alarm.

    Initiative is a question, an offer or a lead to another topic. It is needed while something wanted comes out only by
    it, or a goal is ahead that the partner follows to, and it must hit: a question beside the point, or for three
    things at once, misses the need, and so does an item that is not taken. Where initiative is needless or unwelcome it
    is a false alarm, unless it brings out something wanted after all.

    What was needed is the simulator's knowledge: who was not told could not always know. So the best that can be had
    without the hidden side is below 1.

    None: `nothing_heard`, `hopeless`, `goal_reached`, `greets`, `answers` (the turn meets what was just asked or told),
    `comes_by_itself`; `no_initiative` where a dialogue does not say whether initiative helps.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        found = needs(dialogue)
        if not found:
            return [RewardValue(name=NAME, scope="turn", value=None, reason="no_learner_turns")]
        return [_value(Seen(dialogue, need)) for need in found]


class Seen(NamedTuple):
    """A turn of the learner, in the light of what was needed then."""

    dialogue: Dialogue
    need: Need

    @property
    def turn(self) -> Turn:
        return self.need.step.turn

    @property
    def hidden(self) -> set[str]:
        """What comes out only when the learner does something for it."""
        return {f.id for f in self.need.askable if f.disclose in ("asked", "hinted")}

    @property
    def leads(self) -> bool:
        done = self.turn.intent_detected or self.turn.intent_requested
        return bool(self.turn.labels.get("topic_shift") or done in _LEADS)

    @property
    def acts(self) -> bool:
        return asks(self.turn) or self.leads

    @property
    def lists(self) -> bool:
        """An open question of a mind's program is about whatever it may be, and no list."""
        appraisal: dict[str, Any] = self.turn.labels.get("appraisal", {})
        many = len(self.turn.facts_asked) >= _LISTED and not appraisal.get("asks_openly")
        return many or bool(appraisal.get("dumps"))

    @property
    def taken(self) -> bool:
        """Whether it names an item that the partner takes."""
        replied = {t.intent_requested for t in self.need.step.replies}
        return bool(self.turn.labels.get("item")) and "accept" in replied

    @property
    def followed(self) -> bool:
        """Whether the partner goes where they are led."""
        reply = next(iter(self.need.step.replies), None)
        if not self.leads or reply is None or reply.labels.get("known") or reply.intent_requested in _UNMOVED:
            return False
        to = self.turn.labels.get("to_topic")
        return to is None or reply.labels.get("topic") == to

    @property
    def hits(self) -> bool:
        asked = self.hidden & {*self.need.step.gained, *self.turn.facts_asked}
        return bool(asked and not self.lists) or self.followed or self.taken

    @property
    def undecided(self) -> str | None:
        """Why nothing can be said of the turn."""
        scenario, before, turn = self.dialogue.scenario, self.need.step.before, self.turn
        initiative = scenario.session_latents.get("initiative")
        if initiative is None:
            return "no_initiative"
        if not any(t.role == self.dialogue.partner and t.kind == "utterance" for t in before):
            return "nothing_heard"
        if initiative == "hopeless":
            return "hopeless"
        if self._reached:
            return "goal_reached"
        if turn.intent_requested in ("greet", "hello"):
            return "greets"
        return "answers" if self.answers and not turn.facts_asked else None

    @property
    def answers(self) -> bool:
        """Whether it meets what the partner has asked, hinted at or told."""
        if self.turn.intent_requested == "explain":
            return True
        concerns = (mind(self.dialogue, self.need.step.before) or {}).get("concerns", {})
        settles: list[str] = self.turn.labels.get("appraisal", {}).get("settles", [])
        return any(concerns.get(name) in ("hinted", "voiced") for name in settles)

    @property
    def _reached(self) -> bool:
        reached = self.dialogue.outcome.get("target_reached_turn")
        accepted = any("accept" in (t.intent_requested, t.intent_detected) for t in self.need.step.before)
        right = any(t.answer_correct for t in self.need.step.before)
        return accepted or right or (isinstance(reached, int) and reached < self.need.step.place)

    @property
    def needed(self) -> bool | None:
        """None: it comes by itself."""
        initiative = self.dialogue.scenario.session_latents["initiative"]
        if initiative == "unwelcome" or self.turn.labels.get("candidates") in (0, 1):
            return False
        if self.hidden or self.dialogue.outcome.get("target_topic"):
            return True
        return None if self.need.coming and initiative == "needed" else False


def _value(seen: Seen) -> RewardValue:
    reason, kind = seen.undecided, None
    if reason is None:
        kind = _kind(seen)
        reason = "comes_by_itself" if kind is None else None
    parts: dict[str, Any] = {"kind": kind, "hidden": sorted(seen.hidden), "acts": seen.acts, "hits": seen.hits}
    value = None if kind is None else float(kind in ("correct_detection", "non_response"))
    return RewardValue(name=NAME, scope="turn", turn=seen.need.step.place, value=value, parts=parts, reason=reason)


def _kind(seen: Seen) -> Kind | None:
    welcome = seen.needed or seen.hidden & seen.need.step.gained
    if welcome and seen.hits and (seen.acts or seen.taken):
        return "correct_detection"
    if seen.needed is None:
        return None
    if seen.needed:
        return "missed_need"
    return "false_alarm" if seen.acts else "non_response"
