"""Messages labelled by hand with intents: which, and as what. The texts stay in their references."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from importlib import resources
from typing import Literal, NamedTuple

from generators.latents.tagger import INTENTS, Intent, since
from schemas.dialogue import Dialogue


class HandLabel(NamedTuple):
    reference: str
    part: Literal["train", "dev"]
    """train: one labeller, what the tagger learned from; dev: two, what it is measured on. Of disjoint splits."""
    dialogue_id: str
    turn: int
    """Index among all turns of the dialogue."""
    first: Intent
    second: Intent | None


class Message(NamedTuple):
    """A partner's message with what was said before it since the partner's last turn, oldest first."""

    text: str
    others: Sequence[str]
    mine: Sequence[str]


@cache
def hand_labels() -> tuple[HandLabel, ...]:
    text = resources.files("generators.latents").joinpath("hand_labels.csv").read_text()
    return tuple(
        HandLabel(r["reference"], r["part"], r["dialogue_id"], int(r["turn"]), r["first"], r["second"] or None)  # pyright: ignore[reportArgumentType]
        for r in csv.DictReader(text.splitlines())
    )


def labelled(dialogues: Iterable[Dialogue], part: Literal["train", "dev"]) -> Iterator[tuple[HandLabel, Message]]:
    """The labelled messages among these dialogues. One that is shorter than what was labelled lacks those beyond."""
    wanted: dict[str, list[HandLabel]] = {}
    for label in hand_labels():
        if label.part == part:
            wanted.setdefault(label.dialogue_id, []).append(label)
    for dialogue in dialogues:
        for label in wanted.get(dialogue.id, ()):
            if label.turn >= len(dialogue.turns):
                continue
            others, mine = since(dialogue.turns[: label.turn], dialogue.partner)
            yield label, Message(dialogue.turns[label.turn].text or "", others, mine)


def kappa(first: Iterable[str], second: Iterable[str]) -> float | None:
    """Cohen's kappa of two labellings of the same items; None for fewer than two items or one label everywhere."""
    pairs = list(zip(first, second, strict=True))
    n = len(pairs)
    expected = sum(sum(a == name for a, _ in pairs) * sum(b == name for _, b in pairs) for name in INTENTS) / max(
        n * n, 1
    )
    if n < 2 or expected >= 1:
        return None
    return (sum(a == b for a, b in pairs) / n - expected) / (1 - expected)
