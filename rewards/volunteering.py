"""What the learner brought up unasked, held against Grice's maxims (methods §5)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from rewards.folds import learner_turns
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import RewardValue
from schemas.scenario import Fact

_LONG = 30
"""Words of a message that says what it volunteers shortly."""
_DECLINES = ("decline", "object", "bye")


class Offer(NamedTuple):
    """One fact that nobody had asked for, said by the learner."""

    fact: str
    turn: int
    new: bool
    """Nobody had said it before."""
    quality: bool
    """True: it is among what the learner knows."""
    relation: bool
    """Relevant: about something that keeps the partner from the goal, or about what is talked of."""
    quantity: bool
    """Not too much: relevant, and the only one of its message."""
    manner: bool
    """In a short message that leaves no question open."""
    used_later: bool
    """It settled what kept the partner, or the partner took it up."""
    preempted: bool
    """Used, and the partner never had to ask for it."""

    @property
    def good(self) -> bool:
        return all((self.new, self.quality, self.relation, self.quantity, self.manner, self.used_later))


class Volunteering(Reward):
    """Facts volunteered well less those that were not: all of new, true, relevant, not too much and short, and then
    used; `preempted` says whether that spared a question, too. What answers a question or a worry just told is no
    volunteering.

    None, `nothing_volunteered`, of who keeps to what is asked, so that silence earns nothing; `nothing_to_volunteer`
    where the learner knows nothing that the partner does not see.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        if not learner_turns(dialogue):
            return [RewardValue(name="volunteering", value=None, reason="no_learner_turns")]
        if not _known(dialogue):
            return [RewardValue(name="volunteering", value=None, reason="nothing_to_volunteer")]
        found = offers(dialogue)
        if not found:
            return [RewardValue(name="volunteering", value=None, reason="nothing_volunteered")]
        good = sum(offer.good for offer in found)
        parts: dict[str, Any] = {"good": good, "offers": [{**o._asdict(), "good": o.good} for o in found]}
        return [RewardValue(name="volunteering", value=2 * good - len(found), parts=parts)]


def offers(dialogue: Dialogue) -> list[Offer]:
    """In the order said."""
    facts, said = _known(dialogue), set[str]()
    found: list[Offer] = []
    for n, turn in enumerate(dialogue.turns):
        mine = [i for i in turn.facts_volunteered if not _asked_for(dialogue, n, facts.get(i))]
        for i in mine if turn.role == dialogue.learner else ():
            found.append(_offer(dialogue, n, i, new=i not in said, alone=len(turn.facts_volunteered) == 1))
        said |= {*turn.facts_disclosed, *turn.facts_volunteered}
    return found


def _offer(dialogue: Dialogue, n: int, i: str, new: bool, alone: bool) -> Offer:
    fact, turn = _known(dialogue).get(i), dialogue.turns[n]
    relation = fact is not None and (_open(dialogue, n, fact.slot) or _topic(dialogue, n) == fact.slot)
    used = fact is not None and _used(dialogue, n, fact)
    asks_later = (t.labels.get("question") for t in dialogue.turns[n + 1 :] if t.role == dialogue.partner)
    appraisal: dict[str, Any] = turn.labels.get("appraisal", {})
    return Offer(
        fact=i,
        turn=n,
        new=new,
        quality=fact is not None,
        relation=relation,
        quantity=relation and alone,
        manner=len((turn.text or "").split()) <= _LONG and bool(appraisal.get("answered_question", True)),
        used_later=used,
        preempted=used and fact is not None and not {fact.slot, i} & {str(q) for q in asks_later},
    )


def _known(dialogue: Dialogue) -> dict[str, Fact]:
    """What the learner may say, by id."""
    return {fact.id: fact for fact in dialogue.scenario.facts if fact.holder == dialogue.learner}


def _heard(dialogue: Dialogue, n: int) -> Sequence[Turn]:
    """What the partner said since the learner's last turn before `n`."""
    start = next((m for m in reversed(range(n)) if dialogue.turns[m].role == dialogue.learner), -1)
    return dialogue.turns[start + 1 : n]


def _asked_for(dialogue: Dialogue, n: int, fact: Fact | None) -> bool:
    """Whether the partner has just asked for it, or told a worry that it answers."""
    if fact is None:
        return False
    worries = {f.id for f in dialogue.scenario.facts if f.holder == dialogue.partner and f.slot == fact.slot}
    heard = _heard(dialogue, n)
    asks = any(t.labels.get("wonders") or t.labels.get("question") == fact.slot for t in heard)
    return asks or any(worries & {*t.facts_disclosed} for t in heard)


def _needs(dialogue: Dialogue, slot: str) -> list[str]:
    """What of the partner's is about the same thing."""
    return [f.id for f in dialogue.scenario.facts if f.holder == dialogue.partner and f.slot == slot]


def _concerns(turns: Sequence[Turn]) -> dict[str, str]:
    """Concern -> status, by the last state there is."""
    return next((t.state["concerns"] for t in reversed(turns) if t.state and "concerns" in t.state), {})


def _open(dialogue: Dialogue, n: int, slot: str) -> bool:
    concerns = _concerns(dialogue.turns[:n])
    return any(concerns.get(need, "hidden") != "resolved" for need in _needs(dialogue, slot))


def _topic(dialogue: Dialogue, n: int) -> Any:
    return next((t.labels["topic"] for t in reversed(_heard(dialogue, n)) if "topic" in t.labels), None)


def _used(dialogue: Dialogue, n: int, fact: Fact) -> bool:
    """A mind's state says what a message settled; else the partner's reply says whether they take it up."""
    if settled := _concerns(dialogue.turns[n : n + 1]):
        needs = _needs(dialogue, fact.slot)
        return _open(dialogue, n, fact.slot) and any(settled.get(need) == "resolved" for need in needs)
    reply = next((t for t in dialogue.turns[n:] if t.role == dialogue.partner), None)
    return reply is not None and not reply.labels.get("known") and reply.intent_requested not in _DECLINES
