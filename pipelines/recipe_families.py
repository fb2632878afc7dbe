"""The families of a recipe: what is played, by whom, how often, and held against which real dialogues."""

from collections.abc import Iterable, Mapping, Sequence
from math import isclose, isfinite, lcm
from pathlib import Path
from typing import Annotated, Any, Self, cast, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    model_serializer,
    model_validator,
)

from generators.latents.fitted import FittedLatents
from generators.speakers.external import EXTERNAL, External
from generators.speakers.prompted import PromptedSpeaker
from pipelines.recipe_errors import fault, shown
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


POLICIES: Mapping[str, Policy] = {name: name for name in get_args(Policy)}


def _policy(given: Any) -> Policy | dict[Policy, float]:
    if isinstance(given, str):
        return _known(given)
    if not isinstance(given, Mapping):
        raise fault(f"should be a policy, or some by weight as {{reactive: 1, proactive: 3}}, not {shown(given, ())}")
    weights = cast(Mapping[Any, Any], given)
    if not weights:
        raise fault("is an empty mixture; give policies by weight, as {reactive: 1, proactive: 3}")
    return {_known(str(name), str(name)): _weight(str(name), weight) for name, weight in weights.items()}


def _known(name: str, *loc: str) -> Policy:
    if name not in POLICIES:
        raise fault(f"{shown(name, ())} is not a choice{did_you_mean(name, POLICIES)}", *loc)
    return POLICIES[name]


def _weight(name: str, given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not isfinite(given) or given <= 0:
        raise fault(f"a weight should be a number above 0, not {shown(given, ())}; leave out what is not played", name)
    return float(given)


PolicyChoice = Annotated[Policy | dict[Policy, float], PlainValidator(_policy)]
"""A policy, or several by weight: which of them a sibling gets is drawn for every case."""

FamilyStage = Annotated[Family, BeforeValidator(lambda v: build(v, Family)), PlainSerializer(Stage.spec)]
SpeakerStage = Annotated[Speaker, BeforeValidator(lambda v: build(v, Speaker)), PlainSerializer(Stage.spec)]


class FamilyEntry(Part):
    """One kind of dialogue of the run. In YAML the family's own fields stand beside these."""

    family: FamilyStage
    share: Amount | None = None
    """Of the target; relative to the others'. Families without one share equally what the others leave of 1."""
    policies: Annotated[tuple[PolicyChoice, ...], Field(min_length=1)] = ("reactive", "proactive")
    """How the learner is played, one sibling each; a policy twice is two samples of it, and of a mixture as
    `{reactive: 1, proactive: 3}` a sibling's policy is drawn for every case.
    """
    reference: Annotated[str, AfterValidator(_reference)] | None
    """Real dialogues of this kind; null: realism and matching are skipped. Default: the family's own."""
    speakers: dict[str, SpeakerStage]
    """Who plays each role. Default: the family's own; `{user: {attempts: 5}}` changes fields of it. `external` plays
    the learner under the policy of that name, with a model of its own (`roles: {external: ...}`).
    """

    @property
    def name(self) -> str:
        return self.family.name()

    @property
    def siblings(self) -> int:
        """Dialogues of one group."""
        return len(self.policies) * self.family.variants

    def cast(self, policy: Policy) -> dict[str, Speaker]:
        """Who plays each role under a policy."""
        played = {role: speaker for role, speaker in self.speakers.items() if role != EXTERNAL}
        return {**played, self.family.learner: self.speakers[EXTERNAL]} if policy == EXTERNAL else played

    @model_validator(mode="after")
    def _seated(self) -> Self:
        for role, speaker in self.speakers.items():
            name = type(speaker).__name__
            if role != EXTERNAL and isinstance(speaker, External):
                remedy = "name it as `speakers: {external: ...}`, its model as `roles: {external: ...}`"
                raise fault(f"{name} follows no notes, it plays the policy `external`; {remedy}", "speakers", role)
            if role == EXTERNAL and isinstance(speaker, PromptedSpeaker):
                remedy = f"name one that plays freely, as {External.import_path()}"
                raise fault(f"{name} words notes, and the policy `external` has none; {remedy}", "speakers", role)
        return self

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
        speakers = _speakers(family, own.pop("speakers", None), set(_named(own.get("policies"))))
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


def _named(policies: Any) -> Iterable[str]:
    """Every policy that may be played, of what a recipe says."""
    for choice in cast("list[Any]", policies) if isinstance(policies, list | tuple) else ():
        yield from map(str, cast(Mapping[Any, Any], choice) if isinstance(choice, Mapping) else [choice])


def _speakers(family: Family, given: Any, policies: set[str]) -> dict[str, Any]:
    """The family's speakers with what a recipe says about them."""
    if given is not None and not isinstance(given, Mapping):
        raise fault("should be a mapping of roles to speakers", "speakers")
    own: dict[str, Speaker] = dict(family.speakers)
    if EXTERNAL in policies:
        own[EXTERNAL] = External()
    if policies == {EXTERNAL}:
        del own[family.learner]
    speakers: dict[str, Any] = dict(own)
    for role, spec in cast(Mapping[str, Any], given or {}).items():
        if role not in own:
            raise fault(_nobody(family, role, own), "speakers", role)
        if isinstance(spec, Mapping) and "use" not in spec:
            spec = {**own[role].spec(), **cast(Mapping[str, Any], spec)}
        speakers[role] = spec
    return speakers


def _nobody(family: Family, role: str, own: Iterable[str]) -> str:
    if role == EXTERNAL:
        return "no policy is `external`; add it to `policies`, or leave this out"
    if role == family.learner:
        return f"every policy is `external`, so no notes are worded for the {role}; write `external` instead"
    return f"{family.name()} has no such role{did_you_mean(role, own)}"


def with_shares(entries: Sequence[FamilyEntry]) -> tuple[FamilyEntry, ...]:
    """Every share filled in; together they are 1."""
    given = sum(e.share for e in entries if e.share is not None)
    open_ones = sum(e.share is None for e in entries)
    if open_ones and given >= 1:
        lacking = next(i for i, e in enumerate(entries) if e.share is None)
        raise fault(f"is missing, and the others' shares already make {given:g}; give it one", lacking, "share")
    rest = (1 - given) / open_ones if open_ones else 0.0
    whole = given + open_ones * rest
    if isclose(whole, 1):  # as it was written down: to divide once more would change last digits
        whole = 1.0
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


def files(entries: Iterable[FamilyEntry]) -> dict[str, tuple[str, ...]]:
    """Paths that families have as fields: files whose items go into dialogues -> the families that read them."""
    found: dict[str, list[str]] = {}
    for entry in entries:
        for _, value in entry.family:
            if isinstance(value, Path):
                found.setdefault(str(value), []).append(entry.name)
    return {path: tuple(sorted(names)) for path, names in found.items()}


def references(entries: Sequence[FamilyEntry]) -> list[str]:
    """Real dialogues that families are compared with, or that their latents were fitted on."""
    compared = {e.reference for e in entries if e.reference is not None}
    fitted = {v.reference for e in entries for _, v in e.family if isinstance(v, FittedLatents)}
    return sorted(compared | fitted)


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
