"""Every stage of every folder keeps its contract."""

import ast
import inspect
import pickle
import pkgutil
from importlib import import_module
from itertools import pairwise

import pytest

from pipelines.recipe_families import ENTRY_KEYS
from pipelines.recipe_stages import FOLDERS, build, builtin
from schemas.contracts import Family, Speaker
from schemas.stage import Stage

FOLDER_NAMES = ("generators", "discriminators", "filters", "rewards")


def classes() -> list[type[Stage]]:
    """Every subclass of Stage, wherever in these folders it is defined; bases too."""
    found: dict[type[Stage], None] = {}
    for folder in FOLDER_NAMES:
        for info in pkgutil.walk_packages(import_module(folder).__path__, f"{folder}."):
            for value in vars(import_module(info.name)).values():
                if isinstance(value, type) and issubclass(value, Stage) and value.__module__ == info.name:
                    found[value] = None
    return list(found)


CLASSES = classes()
STAGES = [c for c in CLASSES if not inspect.isabstract(c) and c is not Stage]
IDS = [c.import_path() for c in STAGES]


def kind_of(stage: type[Stage]) -> type[Stage]:
    return next(kind for kind in FOLDERS if issubclass(stage, kind))


def documented(cls: type[Stage]) -> set[str]:
    """The fields of a class body that have a string below them."""
    body = ast.parse(inspect.getsource(cls)).body[0].body
    return {
        field.target.id
        for field, below in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
    }


def test_the_walk_finds_stages_of_every_kind():
    assert {kind_of(c) for c in STAGES} == set(FOLDERS)
    assert len({c.import_path() for c in CLASSES}) == len(CLASSES)


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_a_stage_is_documented_and_so_is_every_field(stage: type[Stage]):
    assert (stage.__doc__ or "").strip()
    # Inherited docstrings say nothing about this stage.
    assert stage.__doc__ not in {base.__doc__ for base in stage.__mro__[1:]}
    # A subclass that only changes a default need not say again what the field is.
    said = {name for base in stage.__mro__ if issubclass(base, Stage) for name in documented(base)}
    assert not set(stage.model_fields) - said


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_a_stages_defaults_are_a_valid_stage(stage: type[Stage]):
    assert stage.model_validate(stage().model_dump()) == stage()


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_a_stage_survives_its_spec_json_and_pickle(stage: type[Stage]):
    made = stage()
    assert build(made.spec(), kind_of(stage)) == made
    assert stage.model_validate_json(made.model_dump_json()) == made
    assert pickle.loads(pickle.dumps(made)) == made


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_a_stage_is_frozen_and_refuses_unknown_fields(stage: type[Stage]):
    assert stage.model_config.get("frozen") and stage.model_config.get("extra") == "forbid"


@pytest.mark.parametrize("stage", STAGES, ids=IDS)
def test_a_stage_lies_in_the_folder_of_its_kind(stage: type[Stage]):
    assert stage in builtin(kind_of(stage))


@pytest.mark.parametrize("family", [c for c in STAGES if issubclass(c, Family)], ids=lambda c: c.__name__)
def test_a_family_names_two_roles_that_somebody_plays_and_no_field_a_recipe_entry_has(family: type[Family]):
    assert family.learner != family.partner
    assert {family.learner, family.partner} <= set(family.speakers)
    assert all(isinstance(speaker, Speaker) for speaker in family.speakers.values())
    assert not ENTRY_KEYS & set(family.model_fields)
