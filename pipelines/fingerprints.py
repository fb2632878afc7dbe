"""What decides a text, a selection, a reward: one stable hash each.

The generation fingerprint leaves out whatever may change between a run and its continuation: endpoints, keys,
concurrency, shards, workers, target, shares, budget, rounds, references, filters (but those for which turns are made
again), selectors, rewards, name and paths.
"""

import hashlib
from pathlib import Path
from typing import Any

from pipelines.recipe import Recipe
from schemas import table
from schemas.contracts import JUDGE, Detector
from schemas.errors import DataError
from schemas.identity import stable_hash
from schemas.stage import Stage


def generation_fingerprint(recipe: Recipe) -> str:
    """Covers table version, seed, families with their fitted latents, policies, speakers, models, sampling, and
    for what faults a turn is made again.
    """
    families = [
        {
            "family": _content(entry.family),
            "policies": entry.policies,
            "speakers": {role: _content(speaker) for role, speaker in entry.speakers.items()},
            "models": {role: recipe.models[recipe.roles[role]].identity for role in entry.speakers},
        }
        for entry in sorted(recipe.families, key=lambda e: e.name)
    ]
    again = _made_again(recipe)
    beside: list[Any] = [{"remakes": recipe.remakes, "for": again}] if again else []
    if JUDGE in recipe.roles:
        beside.append({JUDGE: recipe.models[recipe.roles[JUDGE]].identity})
    return stable_hash("generation", table.VERSION, recipe.seed, families, recipe.embedder.identity, *beside)


def _made_again(recipe: Recipe) -> list[dict[str, Any]]:
    """The detectors for whose faults a turn is made again, whatever their order."""
    stages = [_content(f) for f in recipe.filters if isinstance(f, Detector) and f.drops] if recipe.remakes else []
    return sorted(stages, key=stable_hash)


def selection_fingerprint(recipe: Recipe) -> str:
    """Covers what decides which of the same dialogues are kept, but not how many."""
    stages = [[_content(s) for s in kind] for kind in (recipe.filters, recipe.discriminators, recipe.selectors)]
    families = sorted((e.name, e.share, e.reference) for e in recipe.families)
    return stable_hash("selection", table.VERSION, recipe.seed, stages, families, recipe.embedder.identity)


def reward_fingerprint(recipe: Recipe) -> str:
    models = {role: recipe.models[name].identity for role, name in recipe.roles.items()}
    return stable_hash(
        "rewards", table.VERSION, [_content(r) for r in recipe.rewards], models, recipe.embedder.identity
    )


def _content(stage: Stage) -> dict[str, Any]:
    """A stage's spec with files by what is in them instead of where they are."""
    files = {name: _sha256(value.expanduser()) for name, value in stage if isinstance(value, Path)}
    return {**stage.spec(), **files}


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
