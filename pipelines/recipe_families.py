"""The families of a recipe: what is played, by whom, how often, and held against which real dialogues."""

from collections.abc import Mapping, Sequence
from math import lcm
from pathlib import Path
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, model_serializer, model_validator

from pipelines.recipe_errors import fault
from pipelines.recipe_models import Amount, Part
from pipelines.recipe_stages import build
from schemas.contracts import Family, Speaker
from schemas.errors import did_you_mean
from schemas.scenario import Policy
from schemas.stage import Stage

_PACKAGES = ("chitchat-dataset",)
_KINDS = ("pypi", "path", "hf")


def _reference(given: str) -> str:
    where, _, option = given.partition("#")
    kind, colon, name = where.partition(":")
    if kind not in _KINDS or not colon or not name:
        raise fault(f"'{given}' is no reference; write pypi:chitchat-dataset, path:FILE.parquet or hf:owner/name")
    if option and not (option.startswith("partner=") and option != "partner="):
        raise fault(f"'#{option}' is no option of a reference; the only one is #partner=ROLE")
    if kind == "pypi" and name not in _PACKAGES:
        raise fault(f"'{name}' is not a known package of dialogues{did_you_mean(name, _PACKAGES)}")
    if kind == "path" and not Path(name).expanduser().exists():
        raise fault(f"no such file or folder: {name}; check the path (it is relative to where you run)")
    return given


FamilyStage = Annotated[Family, BeforeValidator(lambda v: build(v, Family)), PlainSerializer(Stage.spec)]
SpeakerStage = Annotated[Speaker, BeforeValidator(lambda v: build(v, Speaker)), PlainSerializer(Stage.spec)]


class FamilyEntry(Part):
    """One kind of dialogue of the run. In YAML the family's own fields stand beside these."""

    family: FamilyStage
    share: Amount | None = None
    """Of the target; relative to the others'. Families without one share equally what the others leave of 1."""
    policies: Annotated[tuple[Policy, ...], Field(min_length=1)] = ("reactive", "proactive")
    """How the learner is played, one sibling each; a policy twice is two samples of it."""
    reference: Annotated[str, AfterValidator(_reference)] | None
    """Real dialogues of this kind; null: realism and matching are skipped. Default: the family's own."""
    speakers: dict[str, SpeakerStage]
    """Who plays each role. Default: the family's own; `{user: {attempts: 5}}` changes fields of it."""

    @property
    def name(self) -> str:
        return self.family.name()

    @property
    def siblings(self) -> int:
        """Dialogues of one group."""
        return len(self.policies)

    @model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, data: Any) -> Any:
        if isinstance(data, FamilyEntry):
            return data
        if isinstance(data, str):
            data = {"use": data}
        if not isinstance(data, Mapping):
            raise fault("should be `use: generators.families.….…` with the family's fields")
        given = cast(Mapping[str, Any], data)
        family = build({k: v for k, v in given.items() if k not in ENTRY_KEYS}, Family, also_valid=ENTRY_KEYS)
        own = {k: v for k, v in given.items() if k in ENTRY_KEYS}
        speakers = _cast(family, own.pop("speakers", None))
        return {"reference": family.reference, **own, "family": family, "speakers": speakers}

    @model_serializer(mode="plain")
    def _as_yaml(self) -> dict[str, Any]:
        return {
            **self.family.spec(),
            "share": self.share,
            "policies": list(self.policies),
            "reference": self.reference,
            "speakers": {role: speaker.spec() for role, speaker in self.speakers.items()},
        }


ENTRY_KEYS = frozenset(FamilyEntry.model_fields) - {"family"}
"""Names no family can give a field of its own."""


def _cast(family: Family, given: Any) -> dict[str, Any]:
    """The family's speakers with what a recipe says about them."""
    if given is not None and not isinstance(given, Mapping):
        raise fault("should be a mapping of roles to speakers", "speakers")
    speakers: dict[str, Any] = dict(family.speakers)
    for role, spec in cast(Mapping[str, Any], given or {}).items():
        if role not in speakers:
            raise fault(f"{family.name()} has no such role{did_you_mean(role, speakers)}", "speakers", role)
        if isinstance(spec, Mapping) and "use" not in spec:
            spec = {**family.speakers[role].spec(), **cast(Mapping[str, Any], spec)}
        speakers[role] = spec
    return speakers


def with_shares(entries: Sequence[FamilyEntry]) -> tuple[FamilyEntry, ...]:
    """Every share filled in; together they are 1."""
    given = sum(e.share for e in entries if e.share is not None)
    open_ones = sum(e.share is None for e in entries)
    if open_ones and given >= 1:
        lacking = next(i for i, e in enumerate(entries) if e.share is None)
        raise fault(f"is missing, and the others' shares already make {given:g}; give it one", lacking, "share")
    rest = (1 - given) / open_ones if open_ones else 0.0
    whole = given + open_ones * rest
    return tuple(e.model_copy(update={"share": (rest if e.share is None else e.share) / whole}) for e in entries)


def check_names(entries: Sequence[FamilyEntry]) -> None:
    first: dict[str, int] = {}
    for i, entry in enumerate(entries):
        if entry.name in first:
            raise fault(
                f"family '{entry.name}' is already families[{first[entry.name]}]; a run plays it once", i, "use"
            )
        first[entry.name] = i


def check_target(target: int, entries: Sequence[FamilyEntry]) -> None:
    """Whole groups, and at least one of every family."""
    unit = lcm(*(e.siblings for e in entries))
    if target % unit:
        below = target // unit * unit
        near = f"{below} or {below + unit}" if below else f"{unit}"
        raise fault(f"{target} is not a multiple of {unit}, the siblings of a group; the nearest is {near}")
    left_out = [e.name for e, quota in zip(entries, quotas(target, entries), strict=True) if not quota]
    if left_out:
        raise fault(f"{target} leaves no dialogue for {', '.join(left_out)}; raise the target or that share")


def quotas(target: int, entries: Sequence[FamilyEntry]) -> list[int]:
    """Dialogues of each family: whole groups that add up to `target`.

    By Sainte-Laguë's method, so that a larger target takes no dialogue from any family.
    """
    unit = lcm(*(e.siblings for e in entries))
    units = [0] * len(entries)
    for _ in range(target // unit):
        shares = [(e.share or 0.0) / (2 * n + 1) for e, n in zip(entries, units, strict=True)]
        units[shares.index(max(shares))] += 1
    return [n * unit for n in units]
