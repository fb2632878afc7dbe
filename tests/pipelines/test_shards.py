"""Shards: deterministic names, whole files, and what an interrupted run leaves of them."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from corpus_samples import to_table
from dialogue_samples import many

from outputs.parquet import write_table
from outputs.store import read_records
from pipelines.commit import commit
from pipelines.rundir import Plan, RunDir, all_done
from pipelines.shards import Shard, Spool, cut
from schemas.errors import DataError, StorageError
from schemas.record import Record

SHARD = Shard(position=1, start=20, stop=30, round=2)


def committed(shard: Shard, folder: Path, records: Iterable[Record]) -> Path | None:
    """What becomes of a shard that a worker has spooled these rows of."""
    spool = Spool(shard, folder)
    for record in records:
        spool.add(record)
    spool.close()
    return commit(shard, folder, siblings=2)


def test_a_name_says_round_family_and_groups_and_sorts_by_them():
    assert SHARD.name == "r002-f01-000000020-000000030"
    names = [s.name for round_ in (0, 1) for position in (0, 11) for s in cut(position, 0, 1200, round_, 100)]
    assert names == sorted(names) and len(set(names)) == len(names) == 48


def test_the_last_shard_of_a_range_is_what_is_left():
    assert [(s.start, s.stop) for s in cut(0, 5, 12, 0, 3)] == [(5, 8), (8, 11), (11, 12)]
    assert cut(0, 5, 5, 0, 3) == []


def test_a_repeated_commit_overwrites_itself_with_the_same_bytes_whatever_the_order(tmp_path: Path):
    records = many(20)
    path = committed(SHARD, tmp_path, records)
    assert path == SHARD.path(tmp_path)
    before = path.read_bytes()
    assert committed(SHARD, tmp_path, reversed(records)) == path
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [f"{SHARD.name}.parquet"]
    assert [r.dialogue.id for r in read_records([path])] == sorted(r.dialogue.id for r in records)


def test_a_finished_shard_takes_the_place_of_its_partial_one(tmp_path: Path):
    partial = committed(SHARD, tmp_path, many(4))
    assert partial == SHARD.partial_path(tmp_path) and not SHARD.path(tmp_path).exists()
    committed(SHARD, tmp_path, many(20))
    assert not partial.exists()


def test_of_an_unfinished_shard_only_whole_groups_are_kept(tmp_path: Path):
    records = many(6)
    pairs = [
        r.model_copy(
            update={
                "dialogue": r.dialogue.model_copy(
                    update={"scenario": r.dialogue.scenario.model_copy(update={"group_id": f"g{n // 2}"})}
                )
            }
        )
        for n, r in enumerate(records)
    ]
    spool = Spool(SHARD, tmp_path)
    for record in pairs[1:]:
        spool.add(record)
    spool.close()
    path = commit(SHARD, tmp_path, siblings=2)
    assert path is not None and not SHARD.spool_path(tmp_path).exists()
    assert [r.dialogue.scenario.group_id for r in read_records([path])].count("g0") == 0
    assert len(list(read_records([path]))) == 4
    (tmp_path / "x").mkdir()
    alone = Spool(SHARD, tmp_path / "x")
    alone.add(pairs[0])
    alone.close()
    assert commit(SHARD, tmp_path / "x", siblings=2) is None and not list((tmp_path / "x").iterdir())


def test_a_run_reads_finished_shards_and_the_partial_ones_that_are_not_finished(tmp_path: Path):
    run = RunDir(tmp_path / "run")
    run.prepare()
    other = Shard(position=0, start=0, stop=5, round=0)
    committed(other, run.shards, many(2))
    partial = committed(SHARD, run.shards, many(2))
    assert partial is not None
    kept = partial.read_bytes()
    committed(SHARD, run.shards, many(20))
    partial.write_bytes(kept)  # a crash between the commit and removing the partial one
    assert [p.name for p in run.shard_paths()] == [f"{SHARD.name}.parquet", f"{other.name}.partial.parquet"]
    assert all_done([SHARD], run.shards) and not all_done([SHARD, other], run.shards)


def test_plans_come_back_in_the_order_of_their_rounds(tmp_path: Path):
    run = RunDir(tmp_path / "run")
    run.prepare()
    plans = [Plan(round=n, groups={"tutoring": (n * 3, n * 3 + 3)}) for n in range(12)]
    for plan in reversed(plans):
        run.write_plan(plan)
    assert run.read_plans() == plans


def test_a_folder_that_no_run_has_made_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"config.resolved.yaml: not there; .* is not a run directory"):
        RunDir(tmp_path).read_config()


def test_a_damaged_configuration_is_told_without_a_traceback(tmp_path: Path):
    (tmp_path / "config.resolved.yaml").write_text("families: 3\n")
    with pytest.raises(DataError, match=r"config.resolved.yaml: cannot be read back"):
        RunDir(tmp_path).read_config()


def test_a_shard_that_cannot_be_spooled_or_written_is_a_storage_error(tmp_path: Path):
    (tmp_path / "file").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"\.spool: .*; free space"):
        Spool(SHARD, tmp_path / "file")
    SHARD.path(tmp_path).mkdir()
    with pytest.raises(StorageError, match="cannot write"):
        committed(SHARD, tmp_path, many(20))
    assert SHARD.spool_path(tmp_path).exists()


def test_a_shard_is_the_same_bytes_as_its_records_written_here(tmp_path: Path):
    records = many(20)
    path = committed(SHARD, tmp_path, records)
    write_table(tmp_path / "here.parquet", to_table(sorted(records, key=lambda r: r.dialogue.id)))
    assert path is not None and path.read_bytes() == (tmp_path / "here.parquet").read_bytes()
