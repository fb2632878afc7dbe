"""How often published users do what (docs/intents.md), beside real ones, with and without the tagger's errors.

The tagger is `discriminators.intents`, which neither generates nor selects. It learns from the hand labels of the
reference's fit and dev splits, which say, out of fold, how it errs. Hand labels exist of real messages alone, so the
same errors are taken to be made on simulated ones. Point estimates of the correction mostly lie further from the truth
than raw shares do (`benchmarks/intent_shares.py`); its intervals are what is worth showing. What was requested is no
substitute: taking it for the truth gives back the requested shares, whatever the words say.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

import numpy as np

from discriminators.confusion import Corrected, corrected
from discriminators.embedding import RememberedEmbed
from discriminators.intents import Said, SecondTagger, confusion, fit_second_tagger
from discriminators.standardised import LabelShare, Marked, label_shares
from generators.latents.hand_labels import HandLabel, Message, labelled
from generators.latents.tagger import INTENTS, act_of, since
from outputs.manifest import HeadMarginal
from pipelines.reference import Reference, Split
from schemas.contracts import EmbedTexts
from schemas.dialogue import Dialogue
from schemas.identity import derive

HEAD = "intent"
MOST = 200
"""Dialogues of a side that are tagged: each message is embedded together with what it answers."""
FOLDS = 5
LEAST = 20
"""Hand labels below which an intent is counted among the others."""
OTHER = "other"


class Spoken(NamedTuple):
    """A partner's message."""

    group: str
    given: str
    said: Said
    requested: str | None


class Labelled(NamedTuple):
    """A message with its hand label."""

    label: HandLabel
    message: Message


class Tagging(NamedTuple):
    tagger: SecondTagger
    names: Mapping[str, str]
    """Intent -> itself or OTHER."""
    labels: tuple[str, ...]
    confusion: np.ndarray
    """int [labels, labels]: by hand, as tagged."""


def spoken(dialogue: Dialogue) -> Iterator[Spoken]:
    for place, turn in enumerate(dialogue.turns):
        if turn.role == dialogue.partner and turn.kind == "utterance" and turn.text:
            others, mine = since(dialogue.turns[:place], dialogue.partner)
            wanted = turn.intent_requested if turn.intent_requested in INTENTS else None
            yield Spoken(dialogue.scenario.group_id, act_of(others), Said.of(turn.text, others, mine), wanted)


def intent_marginals(
    family: str,
    real: Iterable[Dialogue],
    published: Sequence[Spoken],
    reference: Reference,
    embed: EmbedTexts,
    seed: int,
) -> list[HeadMarginal]:
    """Empty where the reference has no hand labels, or the sides have nothing in common."""
    tagging = _tagging(reference, embed)
    messages = [message for dialogue in real for message in spoken(dialogue)]
    if tagging is None or not messages or not published:
        return []
    acts = {m.given for m in messages} & {m.given for m in published}
    sides = [_marked([m for m in side if m.given in acts], tagging) for side in (messages, published)]
    shares = label_shares(sides[0], [], sides[1])
    found = [_corrected(side, sides[1], tagging, derive(seed, HEAD)) for side in sides]
    requested = Counter(tagging.names[m.requested] for m in published if m.requested)
    return [_marginal(family, share, found, tagging, requested) for share in shares]


def _tagging(reference: Reference, embed: EmbedTexts) -> Tagging | None:
    parts: tuple[tuple[Split, Literal["train", "dev"]], ...] = (("fit", "train"), ("dev", "dev"))
    found = [Labelled(*e) for split, part in parts for e in labelled(reference.dialogues(split), part)]
    return fit_tagging(found, RememberedEmbed(embed))


def fit_tagging(found: Sequence[Labelled], embed: EmbedTexts) -> Tagging | None:
    """The tagger learns from all; how it errs is seen out of fold, by dialogue. None where a fold leaves fewer than two
    intents to learn.
    """
    counts = Counter(str(e.label.first) for e in found)
    names = {str(name): str(name) if counts[name] >= LEAST else OTHER for name in INTENTS}
    fold = {name: n % FOLDS for n, name in enumerate(sorted({e.label.dialogue_id for e in found}))}
    rests = [[e for e in found if fold[e.label.dialogue_id] != held] for held in range(FOLDS)]
    if min(len({e.label.first for e in rest}) for rest in rests) < 2:
        return None
    pairs: list[tuple[str, str]] = []
    for held, rest in enumerate(rests):
        mine = [e for e in found if fold[e.label.dialogue_id] == held]
        tagged = _fitted(rest, embed).tag([Said.of(*e.message) for e in mine])
        pairs += [(names[e.label.first], names[name]) for e, name in zip(mine, tagged, strict=True)]
    labels = tuple(sorted({name for pair in pairs for name in pair}))
    return Tagging(_fitted(found, embed), names, labels, confusion(pairs, labels))


def _fitted(some: Sequence[Labelled], embed: EmbedTexts) -> SecondTagger:
    return fit_second_tagger([Said.of(*e.message) for e in some], [e.label.first for e in some], embed)


def _marked(side: Sequence[Spoken], tagging: Tagging) -> list[Marked]:
    tagged = tagging.tagger.tag([m.said for m in side])
    return [Marked(m.group, m.given, tagging.names[name]) for m, name in zip(side, tagged, strict=True)]


def _corrected(side: Sequence[Marked], published: Sequence[Marked], tagging: Tagging, seed: int) -> Corrected | None:
    """Turns count as if the side had the published mix of acts."""
    acts, wanted = Counter(m.given for m in side), Counter(m.given for m in published)
    groups = {group: n for n, group in enumerate(dict.fromkeys(m.group for m in side))}
    place = {name: n for n, name in enumerate(tagging.labels)}
    predicted = np.zeros((len(groups), len(place)))
    for m in side:
        if m.label in place:
            predicted[groups[m.group], place[m.label]] += wanted[m.given] / acts[m.given] * len(side) / len(published)
    return corrected(predicted, tagging.confusion, seed)


def _marginal(
    family: str,
    share: LabelShare,
    found: Sequence[Corrected | None],
    tagging: Tagging,
    requested: Counter[str],
) -> HeadMarginal:
    place = tagging.labels.index(share.label) if share.label in tagging.labels else None
    real, after = (None if f is None or place is None else f.intervals[place] for f in found)
    n = int(tagging.confusion.sum())
    agreed = int(np.trace(tagging.confusion))
    note = f"corrected with {n} hand labels of real messages ({agreed} tagged alike), as if simulated ones erred alike"
    return HeadMarginal(
        family=family,
        head=HEAD,
        label=share.label,
        real=share.real.value,
        synthetic_before=None,
        synthetic_after=share.after.value,
        n_real=share.real.n,
        n_after=share.after.n,
        matched=False,
        after_low=share.after.low,
        after_high=share.after.high,
        floor_low=share.floor[0],
        floor_high=share.floor[1],
        real_corrected=real,
        after_corrected=after,
        requested=requested[share.label] / requested.total() if requested else None,
        note=note,
    )
