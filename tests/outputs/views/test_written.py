"""Views beside the data of a run, and the same rows from dialogues that lie anywhere."""

import math
from collections.abc import Sequence
from pathlib import Path
from random import Random

import datasets
import pyarrow as pa
import pytest
from corpus_samples import to_table
from view_samples import of_turn, own, record, rows_of, table_file

from outputs import spill
from outputs.card import configs_of, write_card
from outputs.manifest import Manifest
from outputs.parquet import write_table
from outputs.publish import SPLITS, Decision, publish, split_of
from outputs.store import read_leaves
from outputs.views import groups, written
from outputs.views.reading import view_tables
from outputs.views.registry import PUBLISHED, VIEWS
from outputs.views.written import write_views
from schemas.errors import DataError, InputError
from schemas.identity import stable_hash
from schemas.judgement import Selection
from schemas.record import Record
from schemas.table import SCHEMA

OPENINGS = ("How", "Could", "What", "Tell", "Is", "Please")


def siblings(number: int) -> list[Record]:
    """One reaches the goal; neither words nor policy tell which."""
    draws = Random(number)
    said = [f"{draws.choice(OPENINGS)} {'one ' * draws.randint(0, 5)}{n}{draws.choice('.??')}" for n in range(2)]
    return [
        record(
            f"Problem {number}",
            own(said[n]),
            "Right." if won else "Wrong.",
            name=stable_hash("d", number, n),
            group=f"g{number}",
            base=f"case-{number // 3}",
            success=won,
            split=None,
            policy=("proactive", "reactive")[draws.random() < 0.5],
        )
        for n, won in enumerate(draws.sample([True, False], 2))
    ]


RECORDS = [r for number in range(150) for r in siblings(number)]


def published(run: Path, records: Sequence[Record]) -> Path:
    write_table(run / "journal" / "shard.parquet", to_table(records))
    decisions = {r.dialogue.id: Decision(selection=Selection(keep=True)) for r in records}
    done = publish([run / "journal" / "shard.parquet"], decisions, run, len(records), "sample")
    views = write_views(run)
    write_card(run, Manifest(recipe="sample", status="complete", target=1, published=done.splits, views=views))
    return run


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return published(tmp_path_factory.mktemp("views") / "run", RECORDS)


def content(run: Path) -> dict[str, bytes]:
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in sorted((run / "views").rglob("*.parquet"))}


def test_every_view_with_rows_is_a_config_and_no_other(run: Path):
    listed = configs_of(run)
    assert [name for name in listed if name in VIEWS] == ["turns", "sft", "preference", "unpaired", "prompts"]
    assert [p.name for p in sorted((run / "views").iterdir())] == sorted(name for name in listed if name in VIEWS)
    for name in listed:
        assert all(file.rows for file in listed[name])


def test_a_view_loads_by_its_name_with_all_its_rows(run: Path, tmp_path: Path):
    datasets.disable_progress_bars()
    loaded = datasets.load_dataset(str(run), "preference", cache_dir=str(tmp_path))
    assert list(loaded) == [s for s in SPLITS if s in loaded]
    for split in loaded:
        rows = list(loaded[split])
        assert rows == [row for row in rows_of(view_tables("preference", run, tmp_path)) if row["split"] == split]
        assert {split_of(row["base_case_id"]) for row in rows} == {split}


def test_the_summary_counts_rows_and_what_was_left_out(run: Path):
    summaries = {s.name: s for s in write_views(run)}
    assert set(summaries) == set(PUBLISHED)
    pairs = summaries["preference"]
    assert sum(pairs.rows.values()) + sum(pairs.dropped.values()) == 150
    assert [s.feature for s in pairs.shortcuts] == ["length", "question_marks", "policy", "first_word"]
    assert all(s.value is not None and s.value <= 0.6 for s in pairs.shortcuts)
    assert pairs.less_asking is not None and pairs.less_asking.value >= 0.3
    assert (summaries["silence"].rows, summaries["silence"].reason) == ({}, "no_rows")


def test_writing_again_after_a_crash_gives_the_same_bytes(run: Path):
    expected = content(run)
    (run / "views").rename(run / "views.old")  # killed between the two renames
    (run / "views.tmp" / "sft").mkdir(parents=True)
    (run / "views.tmp" / "sft" / "train-00000-of-00001.parquet").write_bytes(b"half")
    write_views(run)
    assert content(run) == expected
    assert not [p.name for p in run.iterdir() if p.name.endswith((".tmp", ".old"))]


def test_parts_hold_whole_groups_and_the_same_rows(run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    whole = rows_of(view_tables("sft", run, tmp_path))
    expected = content(run)
    monkeypatch.setattr(groups, "AT_A_TIME", 10)
    monkeypatch.setattr(written, "ROWS_A_PART", 100)
    write_views(run)
    assert "views/sft/train-00002-of-00003.parquet" in content(run)
    assert rows_of(view_tables("sft", run, tmp_path)) == whole
    monkeypatch.undo()
    write_views(run)
    assert content(run) == expected


@pytest.mark.parametrize("name", ["turns", "preference", "unpaired", "prompts", "distillation"])
def test_dialogues_in_any_order_and_any_files_give_the_rows_of_the_run(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setattr(groups, "AT_A_TIME", 20)
    monkeypatch.setattr(spill, "BYTES", 20_000)
    mixed = Random(0).sample(RECORDS, len(RECORDS))
    (tmp_path / "given").mkdir()
    for number in range(3):
        table_file(tmp_path / "given" / f"{number}.parquet", mixed[number::3])
    work = tmp_path / "work"
    work.mkdir()
    found, expected = (rows_of(view_tables(name, place, work)) for place in (tmp_path / "given", run))
    place = ("dialogue_id", "turn")
    assert sorted(found, key=lambda r: [r[p] for p in place]) == sorted(expected, key=lambda r: [r[p] for p in place])
    assert list(work.iterdir()) == []


def test_an_unknown_view_and_a_file_without_dialogues_are_told(tmp_path: Path):
    with pytest.raises(InputError, match="no view 'preferences'; did you mean 'preference'"):
        next(view_tables("preferences", tmp_path, tmp_path))
    write_table(tmp_path / "x.parquet", to_table(RECORDS[:2]).select(["dialogue_id"]))
    with pytest.raises(DataError, match="not a dialogue table"):
        next(view_tables("sft", tmp_path / "x.parquet", tmp_path))


def test_a_dialogue_from_elsewhere_may_lack_group_and_split_and_what_is_broken_is_told(tmp_path: Path):
    table = to_table(RECORDS[:2]).drop_columns(["group_id", "split"])
    empty = pa.array([None, None], pa.string())
    bare = table.append_column("group_id", empty).append_column("split", empty).select(SCHEMA.names)
    write_table(tmp_path / "bare.parquet", bare)
    rows = rows_of(view_tables("turns", tmp_path / "bare.parquet", tmp_path))
    assert all(row["group_id"] == row["dialogue_id"] and row["split"] in SPLITS for row in rows)
    broken = bare.set_column(SCHEMA.get_field_index("verifier"), "verifier", pa.array(["12", "12"]))
    write_table(tmp_path / "broken.parquet", broken)
    with pytest.raises(DataError, match="not as the dialogue table has them"):
        next(view_tables("prompts", tmp_path / "broken.parquet", tmp_path))
    unlike = to_table([record("q", "a", rewards=[of_turn("gain", 1, 1.0)])]).to_pylist()
    unlike[0]["rewards"][0]["value"] = math.nan
    write_table(tmp_path / "nan.parquet", pa.Table.from_pylist(unlike, schema=SCHEMA))
    with pytest.raises(DataError, match=r"rewards\.value: a number should be finite"):
        next(view_tables("turns", tmp_path / "nan.parquet", tmp_path))


def test_of_a_file_only_what_is_asked_for_is_read(run: Path):
    (file, *_) = sorted((run / "data").glob("*.parquet"))
    (table,) = read_leaves(file, ("turns.text", "group_id", "selection.keep"))
    assert table.schema.names == ["group_id", "turns", "selection"]
    assert [f.name for f in table.schema.field("turns").type.value_type] == ["text"]


def test_a_run_without_dialogues_has_no_views(tmp_path: Path):
    run = published(tmp_path / "run", [])
    assert not (run / "views").exists()
    assert {s.reason for s in write_views(run)} == {"no_rows"}
