"""From an import path and fields to a stage, of the kind that is wanted; no registry."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar, cast

from pydantic import ValidationError

from pipelines.recipe_errors import fault, in_words, shown
from schemas.contracts import Discriminator, Family, Filter, Reward, Selector, Speaker
from schemas.errors import did_you_mean
from schemas.stage import Stage

S = TypeVar("S", bound=Stage)

FOLDERS: Mapping[type[Stage], str] = {
    Family: "generators.families",
    Speaker: "generators.speakers",
    Filter: "filters",
    Selector: "filters",
    Discriminator: "discriminators",
    Reward: "rewards",
}
"""Where the built-in stages of a kind are."""


def build(spec: Any, kind: type[S], also_valid: Iterable[str] = ()) -> S:
    """The stage that `{use: import path, ...fields}` names; the bare path stands for a stage with its defaults.

    Raises pydantic's ValidationError, worded, with locations inside `spec`. A stage itself is passed through.
    """
    if isinstance(spec, kind):
        return spec
    if isinstance(spec, str):
        spec = {"use": spec}
    if not isinstance(spec, Mapping):
        raise fault(f"should be `use: {FOLDERS[kind]}.….…` with the stage's fields, not {shown(spec, ())}")
    fields = dict(cast(Mapping[str, Any], spec))
    if "use" not in fields:
        raise fault(f"is missing; name a {kind.__name__.lower()}: `use: {FOLDERS[kind]}.….…`", "use")
    found = stage_class(fields.pop("use"), kind)
    try:
        stage = found.model_validate(fields)
    except ValidationError as error:
        raise in_words(error, found, also_valid) from None
    for name, value in stage:
        if isinstance(value, Path) and not value.expanduser().exists():
            raise fault(f"no such file or folder: {value}; check the path (it is relative to where you run)", name)
    return stage


def stage_class(path: Any, kind: type[S]) -> type[S]:
    """The class at an import path. Raises ValidationError at `use` with the nearest right name."""
    if not isinstance(path, str) or not all(p.isidentifier() for p in path.split(".")):
        raise fault(f"{shown(path, ())} is not an import path like {FOLDERS[kind]}.module.Class", "use")
    module_name, _, name = path.rpartition(".")
    if not module_name:
        paths = {c.__name__: c.import_path() for c in builtin(kind)}
        near = get_close_matches(name, paths, n=1)
        told = f"did you mean '{paths[near[0]]}'?" if near else f"write it like {FOLDERS[kind]}.module.Class"
        raise fault(f"'{name}' is not an import path; {told}", "use")
    module = _module(module_name, kind)
    found = getattr(module, name, None)
    if found is None:
        names = [c.__name__ for c in _stages(module, kind)]
        near = did_you_mean(name, names) if names else f"; it holds no {kind.__name__.lower()} at all"
        raise fault(f"no stage '{name}' in {module_name}{near}", "use")
    if not (isinstance(found, type) and issubclass(found, Stage)):
        raise fault(f"{path} is not a stage; name a class that extends {kind.__name__}", "use")
    if not issubclass(found, kind):
        is_a = next((k.__name__.lower() for k in FOLDERS if issubclass(found, k)), "stage of another kind")
        raise fault(f"{path} is a {is_a}; here a {kind.__name__.lower()} is wanted, from {FOLDERS[kind]}", "use")
    if inspect.isabstract(found):
        raise fault(f"{path} is a base to extend, not a {kind.__name__.lower()} to use", "use")
    return found


def _module(name: str, kind: type[Stage]) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name != missing and not name.startswith(missing + "."):
            raise fault(f"module {name} needs the package '{missing}'; install it", "use") from None
        raise fault(_no_module(missing, name, kind), "use") from None
    except Exception as error:  # a stage from elsewhere may fail to import in any way: it is input
        raise fault(f"module {name} cannot be imported ({type(error).__name__}: {error})", "use") from error


def _no_module(missing: str, wanted: str, kind: type[Stage]) -> str:
    parent, _, leaf = missing.rpartition(".")
    folder = parent or FOLDERS[kind]
    names = [f"{folder}.{m}" for m in _modules(folder)]
    near = did_you_mean(missing if parent else wanted, names) if names else ""
    return f"no module '{leaf}'{f' in {parent}' if parent else ''}{near}"


def _modules(package: str) -> list[str]:
    spec = find_spec(package)
    places = spec.submodule_search_locations if spec else None
    return sorted(m.name for m in pkgutil.iter_modules(places)) if places else []


def builtin(kind: type[S]) -> list[type[S]]:
    """The stages of a kind in our own folder, by module name and order of definition."""
    folder = FOLDERS[kind]
    return [stage for m in _modules(folder) for stage in _stages(importlib.import_module(f"{folder}.{m}"), kind)]


def _stages(module: ModuleType, kind: type[S]) -> list[type[S]]:
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, kind)
        and value.__module__ == module.__name__
        and not inspect.isabstract(value)
    ]
