"""Messages of an assistant in words of their own, by hand, and what is read in them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import yaml

from generators.domains.outreach import load
from generators.latents.acts import Meant, meant_by
from generators.latents.appraisal import appraise, loose
from generators.latents.mind import Appraisal, State
from schemas.contracts import Services
from schemas.scenario import Value

KINDS = ("answers", "asks", "openly", "commits", "flatters", "pressures", "promises", "injects", "stuffs", "dumps")


class MiniLM:
    """The recipes' embedder, in this process; it keeps what it was asked for."""

    def __init__(self, folder: Path):
        from sentence_transformers import SentenceTransformer

        self._model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
        self._known: dict[str, np.ndarray] = {}

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            vectors: Any = self._model.encode(new, normalize_embeddings=True, show_progress_bar=False)
            self._known |= dict(zip(new, np.asarray(vectors, np.float32), strict=True))
        return np.stack([self._known[text] for text in texts])

    phrases = embed


class AppraisalCase(Value):
    domain: str
    text: str
    does: tuple[str, ...]
    """Kinds, with the concern where there is one: "answers:real"."""
    out: str | None = None
    """The concern that has come out."""
    refused: bool = False
    part: Literal["patterns", "tuned", "fresh"] = "patterns"
    """What was fitted to it: the patterns, the limits of the examples, nothing."""


def appraisal_cases() -> list[AppraisalCase]:
    text = (Path(__file__).parent / "generators" / "appraisal_cases.yaml").read_text()
    return [AppraisalCase.model_validate(case) for case in yaml.safe_load(text)]


async def read(case: AppraisalCase, services: Services | None = None) -> set[str]:
    """What is found in a case, of `KINDS`; without services by words and patterns alone."""
    data = load(case.domain)
    concerns = {case.out: "voiced"} if case.out else {}
    state = State.model_validate(
        {
            "cooperation": 2,
            "emotion": 2,
            "trust": 2,
            "concerns": concerns,
            "severity": dict.fromkeys(concerns, 3),
            "patience": 4,
            "refused": case.refused,
        }
    )
    known = [a.id for c in data.concerns.values() for a in c.answers]
    meant = await meant_by(*loose(case.text, data), data, state, known, services) if services else Meant()
    return _kinds(appraise(case.text, data, state, known, meant=meant))


def _kinds(seen: Appraisal) -> set[str]:
    flags = {
        "openly": seen.asks_openly,
        "commits": seen.asks_for_commitment,
        **{name: getattr(seen, name) for name in ("flatters", "pressures", "promises", "injects", "stuffs", "dumps")},
    }
    return {name for name, found in flags.items() if found} | {
        *(f"answers:{c}" for c in seen.settles),
        *(f"asks:{c}" for c in seen.asked),
    }
