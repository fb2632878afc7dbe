"""One YAML file: a whole run as one frozen value.

Stages are built when a recipe is read, so that a misspelt one is found before anything starts. Paths are relative to
where the command runs.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

import yaml
from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, ValidationInfo, field_validator

from pipelines import recipe_families
from pipelines.recipe_errors import dotted, fault, lines
from pipelines.recipe_families import FamilyEntry
from pipelines.recipe_models import Amount, Count, Embedding, LlamaCpp, LocalEmbedder, Model, Part
from pipelines.recipe_stages import build
from pipelines.recipe_yaml import Document, Loc, override, read
from schemas.contracts import JUDGE, SOLVER, Discriminator, Filter, Reward, Selector
from schemas.errors import RecipeError, did_you_mean
from schemas.stage import Stage

FilterStage = Annotated[Filter, BeforeValidator(lambda v: build(v, Filter)), PlainSerializer(Stage.spec)]
SelectorStage = Annotated[Selector, BeforeValidator(lambda v: build(v, Selector)), PlainSerializer(Stage.spec)]
DiscriminatorStage = Annotated[
    Discriminator, BeforeValidator(lambda v: build(v, Discriminator)), PlainSerializer(Stage.spec)
]
RewardStage = Annotated[Reward, BeforeValidator(lambda v: build(v, Reward)), PlainSerializer(Stage.spec)]

DEFAULT_FILTERS = (
    "filters.schema_and_length.LengthBounds",
    "filters.role_confusion.RoleConfusion",
    "filters.repetition.Repetition",
    "filters.private_leak.PrivateLeak",
    "filters.negated_knowledge.NegatedKnowledge",
    "filters.early_disclosure.EarlyDisclosure",
    "filters.missing_disclosure.MissingDisclosure",
    "filters.copied_card.CopiedCard",
    "filters.restart.Restart",
    "filters.premature_stop.PrematureStop",
    "filters.missing_stop.MissingStop",
    "filters.template_turn.TemplateTurn",
    "filters.card_contradiction.CardContradiction",
    "filters.hallucinated_fact.HallucinatedFact",
    "filters.over_agreement.OverAgreement",
    "filters.persona_drift.PersonaDrift",
)
"""The last four label and drop nothing (docs/faults.md)."""
DEFAULT_SELECTORS = ("filters.near_duplicate.NearDuplicate", "filters.distribution_match.DistributionMatch")
DEFAULT_DISCRIMINATORS = (
    "discriminators.ngram.NgramLogistic",
    "discriminators.embedding.EmbeddingLogistic",
    "discriminators.head_logistic.HeadLogistic",
    "discriminators.behaviour_boost.BehaviourBoost",
)
DEFAULT_REWARDS = (
    "rewards.success.Success",
    "rewards.turns_to_success.TurnsToSuccess",
    "rewards.discounted_return.DiscountedReturn",
    "rewards.information_gain.InformationGain",
    "rewards.questions_asked.QuestionsAsked",
    "rewards.volunteering.Volunteering",
)


class Budget(Part):
    """What a run may use up; it then publishes what it has. null: no limit."""

    minutes: Amount | None = None
    dialogues: Count | None = None
    """Played, whatever becomes of them."""
    tokens: Count | None = None
    """Prompts and answers together."""


class Recipe(Part):
    """A run. `load` reads one; `resolved` is what the run directory keeps of it."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=100)]
    """Default: the file's stem. The run goes to runs/<name> unless the command line says otherwise."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**63)] = 7
    families: tuple[FamilyEntry, ...]
    target: Annotated[Count, Field(le=1_000_000)]
    """Accepted dialogues wanted, over all families: whole groups."""
    models: Annotated[dict[str, Model], Field(min_length=1, validate_default=True)] = Field(
        default_factory=lambda: {"default": LlamaCpp()}
    )
    roles: dict[str, str] = Field(default_factory=dict, validate_default=True)
    """Role -> name of its model. Default: `default`, or the only model. `judge`, if named, reads messages for the
    program (`generators.judging`); it is no simulated partner's model. `solver`, if named, tries the learner's problem
    for the rewards that ask one (`rewards.solving`).
    """
    embedder: Embedding = LocalEmbedder()
    filters: tuple[FilterStage, ...] = Field(default_factory=lambda: tuple(build(s, Filter) for s in DEFAULT_FILTERS))
    remakes: Annotated[int, Field(strict=True, ge=0, le=10)] = 1
    """How often a simulated partner's turn is made again when a filter that detects faults would drop it."""
    selectors: tuple[SelectorStage, ...] = Field(
        default_factory=lambda: tuple(build(s, Selector) for s in DEFAULT_SELECTORS)
    )
    discriminators: tuple[DiscriminatorStage, ...] = Field(
        default_factory=lambda: tuple(build(s, Discriminator) for s in DEFAULT_DISCRIMINATORS)
    )
    rewards: tuple[RewardStage, ...] = Field(default_factory=lambda: tuple(build(s, Reward) for s in DEFAULT_REWARDS))
    budget: Budget = Budget()
    workers: Annotated[Count, Field(le=1024)] = 1
    """Processes that play dialogues."""
    shard_size: Count = 100
    """Scenarios committed together."""
    concurrency: Count = 1024
    """Most dialogues a worker has live. It starts fewer: as many as keep the servers busy and fit their caches."""
    oversample: Annotated[float, Field(strict=True, ge=1, le=100)] = 1.3
    """Dialogues a round plays for each one still wanted."""
    max_rounds: Count = 5
    drift: Annotated[float, Field(strict=True, ge=0, le=10)] = 0.5
    """Most nats of KL divergence by which the latents of simulated people may move from their fit, so that what real
    users do and the pool lacks comes more often; 0: never.
    """
    licences: dict[str, str] = Field(default_factory=dict)
    """Licences that the catalogue does not know, by what this recipe names: a model (as under `models`), `embedder`, a
    reference, a problem file. The card's licence follows from them (`outputs.licences`).
    """

    @field_validator("families")
    @classmethod
    def _complete_families(cls, families: tuple[FamilyEntry, ...]) -> tuple[FamilyEntry, ...]:
        if not families:
            raise fault("is empty; name one, as `- use: generators.families.conversation.Conversation`")
        recipe_families.check_names(families)
        return recipe_families.with_shares(families)

    @field_validator("target")
    @classmethod
    def _whole_groups(cls, target: int, info: ValidationInfo) -> int:
        if "families" in info.data:
            recipe_families.check_target(target, info.data["families"])
        return target

    @field_validator("models")
    @classmethod
    def _share_cores(cls, models: dict[str, Model]) -> dict[str, Model]:
        """Two engines with a thread a core wait for each other at every layer, at a quarter of the speed."""
        embedded = {name: model for name, model in models.items() if isinstance(model, LlamaCpp)}
        if len(embedded) < 2:
            return models
        each = max(1, (os.cpu_count() or 2) // len(embedded))
        shared = {n: m.model_copy(update={"threads": m.threads or each}) for n, m in embedded.items()}
        return {**models, **shared}

    @field_validator("roles")
    @classmethod
    def _complete_roles(cls, roles: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if "families" not in info.data or "models" not in info.data:
            return roles
        return _roles(roles, info.data["families"], info.data["models"])

    @field_validator("licences")
    @classmethod
    def _licences_of_what_goes_in(cls, licences: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if "families" not in info.data or "models" not in info.data:
            return licences
        families: tuple[FamilyEntry, ...] = info.data["families"]
        read = (*recipe_families.references(families), *recipe_families.files(families))
        known = [*info.data["models"], "embedder", *read]
        for name in licences:
            if name not in known:
                raise fault(f"nothing of this name goes into this recipe{did_you_mean(name, known)}", name)
        return licences

    @property
    def references(self) -> list[str]:
        """Real dialogues that families are compared with, or that their latents were fitted on."""
        return recipe_families.references(self.families)

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Files whose items go into dialogues -> names of the families that read them."""
        return recipe_families.files(self.families)

    def quotas(self) -> dict[str, int]:
        """Family name -> accepted dialogues wanted of it; they add up to `target`."""
        names = [e.name for e in self.families]
        return dict(zip(names, recipe_families.quotas(self.target, self.families), strict=True))

    def for_worker(self) -> Self:
        """Without what only the main process does: unpickling this imports neither scikit-learn nor rensa."""
        return self.model_copy(update={"discriminators": (), "selectors": ()})


def _roles(roles: Mapping[str, str], families: Sequence[FamilyEntry], models: Mapping[str, Any]) -> dict[str, str]:
    known = sorted({role for entry in families for role in entry.speakers} | ({JUDGE, SOLVER} & roles.keys()))
    for role, model in roles.items():
        if role not in known:
            raise fault(f"no family of this recipe has this role{did_you_mean(role, known)}", role)
        if model not in models:
            raise fault(f"no model '{model}' under `models`{did_you_mean(model, models)}", role)
    fallback = "default" if "default" in models else next(iter(models)) if len(models) == 1 else None
    if fallback is None and (without := [r for r in known if r not in roles]):
        raise fault(f"is missing, and no model is called 'default'; one of {', '.join(sorted(models))}", without[0])
    named = {role: roles.get(role) or str(fallback) for role in known}
    for partner in sorted({entry.family.partner for entry in families}) if JUDGE in named else ():
        if models[named[JUDGE]].identity == models[named[partner]].identity:
            raise fault(f"is the model of '{partner}', which would judge its own words; give it another", JUDGE)
    return named


def load(path: Path, sets: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML file, with `--set a.b=c` overrides. Raises RecipeError: file, line, field, remedy."""
    document = read(path)
    changed = override(document.data, sets)
    data = {"name": re.sub(r"[^A-Za-z0-9._-]+", "-", path.stem).lstrip("._-") or "run", **document.data}
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise RecipeError(_message(path, document, changed, error)) from None


def _message(path: Path, document: Document, changed: set[Loc], error: ValidationError) -> str:
    found = lines(error, Recipe)
    loc, text = found[0]
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    overridden = any(loc[: len(c)] == c for c in changed)
    line = document.line(loc)
    where = "--set" if overridden else str(path) if line is None else f"{path}:{line}"
    return f"{where}: {dotted(loc)}: {text}{more}"


def resolved(recipe: Recipe) -> dict[str, Any]:
    """Every default and fitted value written out, as YAML can hold it; `Recipe.model_validate` reads it back."""
    return recipe.model_dump(mode="json")


def dump_yaml(recipe: Recipe) -> str:
    return yaml.safe_dump(resolved(recipe), sort_keys=False, allow_unicode=True, width=120)
