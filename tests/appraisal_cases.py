"""Messages of an assistant in words of their own, by hand, and what is read in them."""

from pathlib import Path

import yaml

from generators.domains.outreach import load
from generators.latents.appraisal import appraise, meant_by
from generators.latents.mind import Appraisal, State
from schemas.contracts import Services
from schemas.scenario import Value

KINDS = ("answers", "asks", "openly", "commits", "flatters", "pressures", "promises", "injects", "stuffs", "dumps")


class AppraisalCase(Value):
    domain: str
    text: str
    does: tuple[str, ...]
    """Kinds, with the concern where there is one: "answers:real"."""
    out: str | None = None
    """The concern that has come out."""
    refused: bool = False
    fresh: bool = False
    """Written after the patterns: what they were never fitted to."""


def appraisal_cases() -> list[AppraisalCase]:
    text = (Path(__file__).parent / "generators" / "appraisal_cases.yaml").read_text()
    return [AppraisalCase.model_validate(case) for case in yaml.safe_load(text)]


async def read(case: AppraisalCase, services: Services) -> set[str]:
    """What is found in a case, of `KINDS`."""
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
    meant = await meant_by(case.text, data, state, known, services)
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
