from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from talks import talk

from filters.distribution_match import DistributionMatch
from filters.near_duplicate import NearDuplicate
from pipelines.sketches import Sketches, of_dialogues
from schemas.judgement import Judged, Realism

SELECTORS = (NearDuplicate(), DistributionMatch())
ANSWERED = ({}, {"question": 2}, {"offer": 1}, {"offer": 3, "closing": 1}, {})


def judged(number: int) -> Judged:
    """Scored, and with residuals, from the second on."""
    known = number > 0
    return Judged(
        talk(("user", f"It is number {number}"), name=f"d{number}"),
        Realism(combined=float(number)) if known else Realism(reason="no_reference"),
        {},
        np.full(3, number, np.float32) if known else None,
        ANSWERED[number],
    )


def rows_of_one_type(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return pa.Table.from_pylist([*rows]).to_pylist()


def tables(at_once: int, *numbers: int) -> list[pa.Table]:
    sketches = Sketches(SELECTORS, at_once)
    for number in numbers:
        sketches.add(judged(number))
    return sketches.tables()


@pytest.mark.parametrize("at_once", [1, 2, 3, 100])
def test_a_table_does_not_depend_on_how_many_rows_were_held_at_once(at_once: int):
    for table, selector in zip(tables(at_once, 0, 1, 2, 3, 4), SELECTORS, strict=True):
        rows = [
            {"dialogue_id": f"d{n}", "group_id": f"d{n}", **selector.sketch(judged(n))} for n in range(len(ANSWERED))
        ]
        assert table.to_pylist() == rows_of_one_type(rows)


def test_fields_stand_in_the_order_of_their_names_whichever_dialogue_came_first():
    orders = [tables(1, *numbers)[1]["answered"].type for numbers in ((1, 2, 3), (3, 2, 1))]
    assert orders[0] == orders[1]
    assert [field.name for field in orders[0]] == ["closing", "offer", "question"]


def test_an_empty_pool_has_no_rows():
    assert [table.num_rows for table in tables(10)] == [0, 0]


def test_rows_of_some_dialogues_are_taken_in_their_order():
    table = tables(2, 3, 1, 2)[0]
    assert of_dialogues(table, {"d2", "d3", "d9"})["dialogue_id"].to_pylist() == ["d3", "d2"]
    assert of_dialogues(table, {"d1", "d2", "d3"}) is table
    assert of_dialogues(table, set()).num_rows == 0
