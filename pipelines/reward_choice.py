"""Which rewards `overture score` computes, and whose models they ask."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from pipelines import recipe as recipes
from pipelines.recipe import Recipe, load
from pipelines.recipe_errors import lines
from pipelines.recipe_stages import build
from pipelines.rundir import RunDir
from rewards.grading import read_grader
from rewards.judged import Judged
from schemas.contracts import Reward
from schemas.errors import InputError, RecipeError


class Choice(NamedTuple):
    rewards: tuple[Reward, ...]
    recipe: Recipe | None
    """With these rewards; None: nobody's models, so that no reward asks any."""


def chosen(spec: str | None, graders: Sequence[Path], sets: Sequence[str], run: RunDir | None) -> Choice:
    """`spec`: a recipe's file, import paths with commas between them, or None for what a run was labelled with last,
    else the default ones. `sets`: changes of that recipe, or of the run's.
    A grader takes the place of another of its construct. Raises RecipeError, DataError.
    """
    named = spec is not None and Path(spec).suffix in (".yaml", ".yml")
    if sets and not named and run is None:
        raise InputError("--set: there is no recipe under --rewards to change; give one, as --rewards recipe.yaml")
    if named:
        base = load(Path(str(spec)), sets)
    elif run is not None:
        base = load(run.labelled_by, sets) if sets else run.read_scored()
    else:
        base = None
    if spec is not None and not named:
        found = tuple(_built({"use": path.strip()}, "--rewards") for path in spec.split(","))
    else:
        found = base.rewards if base is not None else tuple(build(s, Reward) for s in recipes.DEFAULT_REWARDS)
    for path in graders:
        known = read_grader(path)
        found = tuple(reward for reward in found if not _judges(reward, known.judges))
        found = (*found, _built({"use": Judged.import_path(), "grader": str(path)}, "--grader"))
    return Choice(found, None if base is None else base.model_copy(update={"rewards": found}))


def _judges(reward: Reward, construct: str) -> bool:
    return (
        isinstance(reward, Judged)
        and reward.grader is not None
        and read_grader(reward.grader.expanduser()).judges == construct
    )


def _built(spec: dict[str, str], where: str) -> Reward:
    try:
        return build(spec, Reward)
    except ValidationError as error:
        raise RecipeError(f"{where}: {lines(error, Reward)[0][1]}") from None


def limits(rewards: Sequence[Reward]) -> tuple[str, ...]:
    """What a card says of rewards that a model judges."""
    return tuple(
        read_grader(r.grader.expanduser()).described for r in rewards if isinstance(r, Judged) and r.grader is not None
    )
