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
Kind = Literal["ask", "recommend", "explain", "wait", "close"]


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


def asking(items: Sequence[Item], slots: Sequence[str], time_left: float) -> list[Action]:
    """A question about each open slot: the entropy of its values among the items as a share of all there is, worth
    less the less time is left to use the answer (`time_left`, share of the messages).
    """
    whole = entropy(items)
    return [Action("ask", slot, 2 * time_left * entropy(items, slot) / whole if whole else 0.0) for slot in slots]


def recommending(items: Sequence[Item], rng: Random) -> list[Action]:
    """Up to `MOST_ITEMS` of them, in drawn order; worth more the fewer there are."""
    shown = rng.sample(list(items), min(len(items), MOST_ITEMS))
    return [Action("recommend", item.name, len(items) ** -0.5) for item in shown]
