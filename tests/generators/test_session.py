"""Session latents: declared shares, bounds of every field, and a label that holds every draw."""

from collections import Counter
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.latents.fitted import committed
from generators.latents.session import CELLS, INITIATIVE, Cell, SessionLatents, draw_session

FITTED = committed("recommendation_latents")
DRAWS = 4000


def drawn(seed: int, cells: dict[Cell, float] | None = None) -> SessionLatents:
    return draw_session(Random(seed), FITTED, "somebody", cells or CELLS)


def within(count: int, share: float, n: int = DRAWS) -> bool:
    """Four standard errors of a binomial."""
    return abs(count - share * n) <= 4 * sqrt(n * share * (1 - share)) + 1


def test_declared_shares_sum_to_one_and_keep_initiative_needless_or_unwelcome_often_enough():
    assert sum(CELLS.values()) == pytest.approx(1)
    shares = {kind: sum(CELLS[c] for c, found in INITIATIVE.items() if found == kind) for kind in INITIATIVE.values()}
    assert shares["needless"] + shares["unwelcome"] == pytest.approx(0.28)
    assert shares["hopeless"] == pytest.approx(0.1) and set(INITIATIVE) == set(CELLS)


def test_cells_and_what_people_tell_at_once_come_as_often_as_declared():
    people = [drawn(seed) for seed in range(DRAWS)]
    cells, told = Counter(p.cell for p in people), Counter(p.tells for p in people)
    assert all(within(cells[cell], share) for cell, share in CELLS.items()), cells
    whole = sum(FITTED.tells.values())
    assert all(within(told[n], share / whole) for n, share in FITTED.tells.items()), told
    assert within(sum(p.expertise == "some" for p in people), 0.5)
    patient = Counter(p.patience for p in people if p.cell != "hurry")
    assert set(patient) == {2, 3, 4} and all(within(c, 1 / 3, patient.total()) for c in patient.values())


@given(st.integers())
def test_every_draw_is_in_the_label_and_within_its_bounds(seed: int):
    person = drawn(seed)
    assert SessionLatents.model_validate(person.label()) == person
    assert set(person.label()) == set(SessionLatents.model_fields)
    assert person.initiative == INITIATIVE[person.cell]
    assert 0 <= person.cooperativeness <= 1 and 0 <= person.influence <= 0.6
    assert person.patience == 1 if person.cell == "hurry" else 2 <= person.patience <= 4
    assert person.person in FITTED.people and person.background == "somebody"
    assert person == drawn(seed)


def test_a_case_may_declare_what_a_recipe_does_not_draw():
    given_cells: dict[Cell, float] = {"useless": 1.0}
    assert {drawn(seed, given_cells).cell for seed in range(20)} == {"useless"}
    fixed = draw_session(Random(3), FITTED, "x", {"needed": 1.0}, patience=6, concerns=("cost",))
    assert (fixed.patience, fixed.concerns) == (6, ("cost",))
    assert draw_session(Random(3), FITTED, "x", {"hurry": 1.0}, patience=6).patience == 1  # a hurry has no more
