"""Pools of real dialogues with a planted bias, and the splits of the reference they are matched to: what
`matching_planted.py` selects from. Nothing here knows how selection works.
"""

from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from discriminators.user_turns import Sample
from pipelines.dialogue_files import read_dialogues
from pipelines.reference import window
from schemas.dialogue import Dialogue
from schemas.scenario import View

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
TURNS = 8
DUPLICATES, LEAKS = 0.30, 0.05
SECRET = (
    "the customer lost a brother in march and wants to keep the whole matter from the family until the summer is over"
)
SKEWED = {("question", "none"): -0.9, ("politeness", "one"): 1.0, ("length", "1-3"): 0.9, ("pushback", "refuses"): -1.5}
"""(head, label) -> log odds that each such turn of a user adds to being drawn."""
SHIFT = 0.8
"""Log odds for each standard deviation along the first direction in which the users' meaning varies."""


class Planted(NamedTuple):
    fit: list[Dialogue]
    test: list[Dialogue]
    pool: list[Dialogue]
    twins: dict[str, str]
    """Copy -> what it is a copy of."""
    leaks: set[str]


def windows(name: str, most: int) -> list[Dialogue]:
    """Beginnings of real dialogues, `TURNS` long."""
    records = read_dialogues(CORPORA / f"{name}.parquet")
    return list(islice((w for r in records if (w := window(r.dialogue, TURNS)) is not None), most))


def planted(
    dialogues: Sequence[Dialogue], samples: Mapping[str, Sample], meaning: np.ndarray, size: int, seed: int
) -> Planted:
    """`samples`: of the dialogues, by id. `meaning`: [dialogues], the first principal component of their users' words.
    `size`: of the pool.
    """
    rng = Random(seed)
    order = rng.sample(range(len(dialogues)), len(dialogues))
    part = len(order) // 5
    fit, test = ([dialogues[i] for i in rows] for rows in (order[:part], order[part : 2 * part]))
    source = order[2 * part :]
    scores = np.array([_pull(samples[dialogues[i].id], float(meaning[i])) for i in source])
    keys = scores + np.random.default_rng(seed).gumbel(size=len(source))
    copies = round(DUPLICATES * size)
    drawn = [dialogues[source[i]] for i in np.argsort(-keys)[: size - copies]]
    leaking = set(rng.sample(range(len(drawn)), round(LEAKS * size)))
    pool = [_leaking(d, rng) if i in leaking else _informed(d) for i, d in enumerate(drawn)]
    originals = rng.sample([d for i, d in enumerate(pool) if i not in leaking], copies)
    made = [_copied(d, rng) for d in originals]
    twins = {copy.id: d.id for copy, d in zip(made, originals, strict=True)}
    return Planted(fit, test, [*pool, *made], twins, {pool[i].id for i in leaking})


def _pull(sample: Sample, meaning: float) -> float:
    skew = sum(SKEWED.get((head, label), 0.0) for turn in sample.turns for head, label in turn.labels.items())
    return skew / max(1, len(sample.turns)) * 2 + SHIFT * meaning


def _informed(dialogue: Dialogue) -> Dialogue:
    """Its user holds a secret."""
    views = {
        role: View(role=role, brief="", private={"secret": SECRET} if role == dialogue.partner else {})
        for role in dialogue.scenario.views
    }
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update={"views": views})})


def _leaking(dialogue: Dialogue, rng: Random) -> Dialogue:
    """The other side says a run of words of the secret."""
    words = SECRET.split()
    start = rng.randrange(len(words) - 12)
    turns = list(dialogue.turns)
    place = rng.choice([i for i, turn in enumerate(turns) if turn.role == dialogue.learner])
    told = f"{turns[place].text} {' '.join(words[start : start + 12])}"
    turns[place] = turns[place].model_copy(update={"text": told})
    return _informed(dialogue).model_copy(update={"turns": tuple(turns)})


def _copied(dialogue: Dialogue, rng: Random) -> Dialogue:
    """Under another name, one word in twenty exchanged."""
    turns = tuple(
        turn.model_copy(
            update={"text": " ".join("thing" if rng.random() < 0.05 else w for w in (turn.text or "").split())}
        )
        for turn in dialogue.turns
    )
    name = f"zz-{dialogue.id}"
    named = {"dialogue_id": name, "group_id": name}
    return dialogue.model_copy(update={"turns": turns, "scenario": dialogue.scenario.model_copy(update=named)})
