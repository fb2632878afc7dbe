"""The nested dialogue table is read by what people query Parquet with, and an export's folder by `datasets`."""

from pathlib import Path

import datasets
import duckdb
import polars
import pyarrow.parquet as pq
import pytest
from trainer_samples import balanced, write

from pipelines import exporting


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("tables") / "dialogues.parquet", balanced(10))


def test_polars_scans_into_lists_of_structs(file: Path):
    turns = polars.scan_parquet(file).select("dialogue_id", "turns").explode("turns")
    asked = turns.filter(polars.col("turns").struct.field("facts_asked").list.len() > 0)
    assert asked.collect().height == 10
    assert polars.scan_parquet(file).collect()["messages"].list.len().sum() == 60


def test_duckdb_unnests_turns_and_rewards(file: Path):
    with duckdb.connect() as database:
        source = f"read_parquet('{file}')"
        asked = database.sql(
            f"select count(*) from (select unnest(turns) as turn from {source}) where len(turn.facts_asked) > 0"
        )
        assert asked.fetchall() == [(10,)]
        successes = database.sql(
            f"select policy, avg(reward.value) from (select policy, unnest(rewards) as reward from {source}) "
            "where reward.name = 'success' group by policy order by policy"
        )
        assert successes.fetchall() == [("proactive", 0.5), ("reactive", 0.5)]


def test_datasets_loads_an_exports_folder_with_its_splits_and_gives_back_every_row(tmp_path: Path):
    out = tmp_path / "dpo"
    exporting.run(exporting.Order(write(tmp_path / "dialogues.parquet", balanced(40)), "trl-dpo", str(out)))
    loaded = datasets.load_dataset(str(out), cache_dir=str(tmp_path / "cache"))
    assert {name: split.to_list() for name, split in loaded.items()} == {
        path.stem: pq.read_table(path).to_pylist() for path in out.glob("*.parquet")
    }
    assert set(loaded) == {"train", "validation", "test"}
