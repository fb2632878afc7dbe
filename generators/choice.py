"""What to ask, what to recommend, and when, as one decision over weighted actions (methods §18).

A policy draws among candidate actions; all of them are logged with their probability under the policy that acted, so
that other policies can be judged off the log.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, Literal, NamedTuple

from generators.domains.recommendation import Item

MOST_ITEMS = 10
"""Recommendations that are weighed at a time."""
_LATER = 0.95
"""What success is worth one question later."""
_NOT_TAKEN = 0.85
"""How often a wrong recommendation is turned down; who takes it is lost."""
Kind = Literal["greet", "ask", "recommend", "explain", "wait", "close"]


class Action(NamedTuple):
    kind: Kind
    arg: str | None
    score: float
    """Before the softmax; higher is better."""


class Choice(NamedTuple):
    action: Action
    probability: float
    """Of this action under the policy that drew it."""
    labels: dict[str, Any]
    """Every candidate action with its score and probability, as the turn logs them."""


def entropy(items: Sequence[Item], slot: str | None = None) -> float:
    """Bits: of which item it is, each equally likely; or of the value of one slot."""
    if slot is None:
        return math.log2(len(items)) if items else 0.0
    counts = Counter(item.has[slot] for item in items)
    total = counts.total()
    return -sum(n / total * math.log2(n / total) for n in counts.values()) if total else 0.0


def draw(actions: Sequence[Action], temperature: float, rng: Random) -> Choice:
    """Softmax over scores. At 0 the best action, the first of equals."""
    if temperature <= 0:
        best = max(range(len(actions)), key=lambda n: actions[n].score)
        weights = [float(n == best) for n in range(len(actions))]
    else:
        top = max(a.score for a in actions)
        weights = [math.exp((a.score - top) / temperature) for a in actions]
    total = sum(weights)
    chosen = rng.choices(range(len(actions)), weights)[0]
    logged = [
        {"type": a.kind, "arg": a.arg, "prior_score": round(a.score, 4), "probability": round(w / total, 6)}
        for a, w in zip(actions, weights, strict=True)
    ]
    action, probability = actions[chosen], weights[chosen] / total
    labels: dict[str, Any] = {
        "actions": logged,
        "action_taken": {"type": action.kind, "arg": action.arg},
        "behaviour_policy_prob": round(probability, 6),
    }
    return Choice(action, probability, labels)


def fitting(items: Sequence[Item], known: Mapping[str, str], out: frozenset[str] | set[str]) -> list[Item]:
    """Items that have everything known and were not ruled out by name."""
    return [i for i in items if i.name not in out and all(i.has[slot] == value for slot, value in known.items())]


class Outlook(NamedTuple):
    """What a chooser can tell of its chances from what was said."""

    items: Sequence[Item]
    """Still possible."""
    matters: Mapping[str, float]
    """Slot that may be asked for -> how likely it matters to the person."""
    messages: int
    """Left."""
    patience: int
    """How many of them may bring the person nothing: refused items, questions about what does not matter."""

    def chance(self) -> float:
        """That one of the items is right: a slot that matters rules out all but 2 ** -entropy of them."""
        bits = sum(share * entropy(self.items, slot) for slot, share in self.matters.items())
        return max(1 / len(self.items), 2**-bits)

    def asked(self, slot: str) -> float:
        """The chance to succeed after a question: what is not known of this slot is known then; where it does not
        matter, patience is spent.
        """
        share, rest = self.matters[slot], self.messages - 1
        chance = min(1.0, self.chance() * 2 ** (share * entropy(self.items, slot)))
        fruitful = _within(chance, min(rest, self.patience))
        return share * fruitful + (1 - share) * _within(chance, min(rest, self.patience - 1))


def asking(outlook: Outlook) -> list[Action]:
    """A question about each open slot."""
    return [Action("ask", slot, _LATER * outlook.asked(slot)) for slot in outlook.matters] if outlook.items else []


def recommending(outlook: Outlook, rng: Random) -> list[Action]:
    """Up to `MOST_ITEMS` of them, in drawn order: the chance of being right now or later."""
    shown = rng.sample(list(outlook.items), min(len(outlook.items), MOST_ITEMS))
    score = _within(outlook.chance(), min(outlook.messages, outlook.patience)) if shown else 0.0
    return [Action("recommend", item.name, score) for item in shown]


def _within(chance: float, tries: int) -> float:
    """To be right with one of some recommendations."""
    return sum(chance * (_NOT_TAKEN * (1 - chance)) ** n for n in range(tries))
