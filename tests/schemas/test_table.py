"""Rows that an older Overture wrote stay readable: `dialogue_table_vN.parquet` is what it wrote under version N."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dialogue_samples import tutoring

from outputs.store import read_dialogue_tables, read_records
from pipelines.dialogue_files import read_dialogues
from schemas.errors import DataError
from schemas.record import to_row
from schemas.table import SCHEMA, STEPS, VERSION, VERSION_KEY, migrated, version_of

HERE = Path(__file__).parent
FILES = {n: HERE / f"dialogue_table_v{n}.parquet" for n in range(1, VERSION + 1)}


def test_every_older_version_has_a_step_and_every_version_a_file():
    assert set(STEPS) == set(range(1, VERSION))
    assert [n for n, path in FILES.items() if not path.is_file()] == []


@pytest.mark.parametrize("path", FILES.values(), ids=lambda p: p.stem)
def test_a_file_of_every_version_reads_as_todays_and_keeps_its_version_in_its_metadata(path: Path):
    assert version_of(pq.read_schema(path), path) == int(path.stem.rpartition("v")[2])
    assert {table.schema for table in read_dialogue_tables(path)} == {SCHEMA}
    records = list(read_records([path]))
    assert records == list(read_dialogues(path))
    assert len(records) == 4 and {r.dialogue.scenario.family for r in records} == {"tutoring", "conversation"}
    assert [r for t in read_dialogue_tables(path) for r in t["messages"].to_pylist()] == [
        to_row(record)["messages"] for record in records
    ]


def test_the_oldest_file_holds_what_its_overture_put_into_it():
    first, _, third, fourth = read_records([FILES[1]])
    assert first.dialogue.turns == tutoring(0).dialogue.turns
    assert third.labels == {"length": "short", "question": "no"}
    assert fourth.dialogue.origin is not None and fourth.dialogue.origin.dialogue_id == first.dialogue.id


def test_steps_are_taken_one_a_version_from_the_one_that_was_found():
    def renamed(table: pa.Table) -> pa.Table:
        return table.rename_columns(["said"])

    def shouted(table: pa.Table) -> pa.Table:
        return pa.table({"said": [text.upper() for text in table["said"].to_pylist()]})

    steps = {1: renamed, 2: shouted}
    old = pa.table({"words": ["hello"]})
    assert migrated(old, 1, steps, to=3)["said"].to_pylist() == ["HELLO"]
    assert migrated(renamed(old), 2, steps, to=3)["said"].to_pylist() == ["HELLO"]
    assert migrated(old, 3, steps, to=3) is old


@pytest.mark.parametrize(
    ("version", "told"),
    [(str(VERSION + 1), "written by a newer Overture; .* install the newer one"), ("0", "none of ours"), ("x", "none")],
)
def test_a_version_that_cannot_be_read_is_one_message(version: str, told: str):
    with pytest.raises(DataError, match=f"a.parquet: dialogue table version '?{version}.*{told}"):
        version_of(SCHEMA.with_metadata({VERSION_KEY: version}), "a.parquet")


def test_a_file_that_lost_its_metadata_counts_as_todays():
    assert version_of(SCHEMA.with_metadata(None), "a.parquet") == VERSION
