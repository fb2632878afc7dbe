"""Short dialogues written in a test, the shared corpora where they are there, and an embedding by hashing."""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from discriminators.user_turns import Sample
from pipelines.dialogue_files import read_dialogues
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.scenario import Scenario, Verifier, View

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"

needs_corpora = pytest.mark.skipif(not CORPORA.is_dir(), reason="the shared corpora are not beside the repository")


def corpus(name: str, count: int, split: str | None = None) -> list[Dialogue]:
    records = (r for r in read_dialogues(CORPORA / f"{name}.parquet") if split in (None, r.split))
    return [r.dialogue for r in islice(records, count)]


def talk(
    *said: tuple[str, str] | Turn,
    name: str = "d0",
    group: str | None = None,
    views: Sequence[View] = (),
    verifier: Verifier | None = None,
    ending: Ending | None = None,
    sides: tuple[str, str] = ("assistant", "user"),
) -> Dialogue:
    """`said`: (role, text) or turns; `sides`: learner, partner."""
    turns = tuple(t if isinstance(t, Turn) else Turn(role=t[0], text=t[1]) for t in said)
    scenario = Scenario(
        family="test",
        domain="test",
        base_case_id=name,
        seed=0,
        goal="",
        views={v.role: v for v in views} or {role: View(role=role, brief="") for role in sides},
        verifier=verifier,
        scenario_id=name,
        group_id=group or name,
        dialogue_id=name,
    )
    return Dialogue(
        scenario=scenario,
        turns=turns,
        ending=ending or Ending(reason="max_turns"),
        learner=sides[0],
        partner=sides[1],
    )


def said(group: str, *texts: str, prompt: str = "Tell me more.") -> Sample:
    """What a user says, each time after the same `prompt` of the assistant's."""
    return Sample.of(talk(*(turn for text in texts for turn in (("assistant", prompt), ("user", text))), name=group))


def renamed(dialogue: Dialogue, name: str) -> Dialogue:
    scenario = dialogue.scenario.model_copy(update={"dialogue_id": name, "group_id": name, "base_case_id": name})
    return dialogue.model_copy(update={"scenario": scenario})


def with_texts(dialogue: Dialogue, texts: Iterator[str]) -> Dialogue:
    return dialogue.model_copy(
        update={"turns": tuple(turn.model_copy(update={"text": next(texts)}) for turn in dialogue.turns)}
    )


def hashed_embed(texts: Sequence[str]) -> np.ndarray:
    """A bag of hashed words, of unit length."""
    vectors = np.zeros((len(texts), 64), dtype=np.float32)
    for row, text in zip(vectors, texts, strict=True):
        for word in text.split():
            digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
            row[digest[0] % 64] += 1 if digest[1] % 2 else -1
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
