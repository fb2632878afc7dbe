from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest
from corpus_samples import to_table
from dialogue_samples import branch, conversation, many, tutoring
from hypothesis import given, settings
from hypothesis import strategies as st

from outputs import publish as publishing
from outputs import spill
from outputs.parquet import write_table
from outputs.publish import SPLITS, Decision, Published, part_count, publish, split_of
from outputs.store import read_records
from schemas.errors import DataError, OvertureError
from schemas.judgement import Realism, RewardValue, Selection
from schemas.record import Record

KEPT = Decision(selection=Selection(keep=True))
DROPPED = Decision(selection=Selection(keep=False, reason="too_few_turns"))


def write_shards(directory: Path, records: Sequence[Record], sizes: Sequence[int]) -> list[Path]:
    paths: list[Path] = []
    start = 0
    for number, size in enumerate([*sizes, len(records)]):
        chunk = list(records[start : start + size])
        start += size
        if chunk:
            paths.append(directory / f"shard-{number}.parquet")
            write_table(paths[-1], to_table(chunk))
    return paths


def content(run: Path) -> dict[str, bytes]:
    return {p.relative_to(run).as_posix(): p.read_bytes() for p in sorted(run.rglob("*.parquet"))}


def rows(run: Path, folder: str) -> list[Record]:
    return list(read_records(sorted((run / folder).glob("*.parquet"))))


def test_every_row_lands_in_its_folder_once_sorted_by_group_and_id(tmp_path: Path):
    records = many(40)
    decisions = {r.dialogue.id: KEPT if n % 4 else DROPPED for n, r in enumerate(records)}
    shards = write_shards(tmp_path / "shards", [*records, branch(records[0], 0), branch(records[0], 1)], [9, 5])
    done = publish(shards, decisions, tmp_path / "run", target=40, recipe="named")
    assert done.accepted == 30
    assert done.rejected == {"too_few_turns": 10}
    assert done.branches == 2
    for split in SPLITS:
        found = list(read_records(sorted((tmp_path / "run" / "data").glob(f"{split}-*.parquet"))))
        ids = [(r.dialogue.scenario.group_id, r.dialogue.id) for r in found]
        assert ids == sorted(ids)
        assert len(ids) == done.splits.get(split, 0)
        assert {r.split for r in found} <= {split}
        assert all(split_of(r.dialogue.scenario.base_case_id) == split for r in found)
    rejected = rows(tmp_path / "run", "rejected")
    assert {r.selection.reason for r in rejected if r.selection} == {"too_few_turns"}
    assert {r.dialogue.origin.dialogue_id for r in rows(tmp_path / "run", "branches") if r.dialogue.origin} == {
        records[0].dialogue.id
    }
    assert {r.recipe for r in rejected} == {"named"}


def test_a_published_row_is_the_dialogue_with_its_decision(tmp_path: Path):
    plain = conversation(3).model_copy(update={"labels": None, "realism": None, "selection": None, "split": None})
    decision = Decision(
        selection=Selection(keep=True, logw=-0.5, pi=0.25),
        realism=Realism(scores={"ngram": 1.5}, combined=1.5),
        labels={"question": "yes"},
        rewards=[RewardValue(name="judged", value=None, reason="server_error", grader="m")],
    )
    publish(write_shards(tmp_path, [plain], []), {plain.dialogue.id: decision}, tmp_path / "run", 1, "sample")
    [row] = rows(tmp_path / "run", "data")
    assert row.dialogue == plain.dialogue
    assert (row.selection, row.realism, row.labels) == (decision.selection, decision.realism, decision.labels)
    assert list(row.rewards) == decision.rewards


def test_without_new_rewards_those_of_the_shard_stay(tmp_path: Path):
    record = tutoring()
    publish(write_shards(tmp_path, [record], []), {record.dialogue.id: KEPT}, tmp_path / "run", 1, "sample")
    [row] = rows(tmp_path / "run", "data")
    assert row.rewards == record.rewards


@settings(max_examples=8)
@given(order=st.integers(), sizes=st.lists(st.integers(1, 40), max_size=6))
def test_the_bytes_do_not_depend_on_shards_or_order(tmp_path_factory: pytest.TempPathFactory, order, sizes):
    records = [*many(60), branch(tutoring(3), 0)]
    decisions = {r.dialogue.id: KEPT if n % 3 else DROPPED for n, r in enumerate(records)}
    base = tmp_path_factory.mktemp("publish")
    publish(write_shards(base / "a", records, []), decisions, base / "one", 60, "sample")
    shuffled = list(records)
    Random(order).shuffle(shuffled)
    publish(write_shards(base / "b", shuffled, sizes), decisions, base / "many", 60, "sample")
    assert content(base / "one") == content(base / "many")


def test_parts_are_cut_by_the_target_and_not_by_what_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(publishing, "ROWS_A_PART", 10)
    monkeypatch.setattr(spill, "BYTES", 5_000)
    records = many(60)
    decisions = {r.dialogue.id: KEPT for r in records}
    done = publish(write_shards(tmp_path / "s", records, [20]), decisions, tmp_path / "run", 30, "sample")
    names = sorted(p.name for p in (tmp_path / "run" / "data").glob("train-*"))
    assert names == ["train-00000-of-00003.parquet", "train-00001-of-00003.parquet", "train-00002-of-00003.parquet"]
    parts = [[r.dialogue for r in read_records([tmp_path / "run" / "data" / n])] for n in names]
    ids = [(d.scenario.group_id, d.id) for part in parts for d in part]
    assert ids == sorted(ids)
    assert len(ids) == done.splits["train"]
    groups = [{d.scenario.group_id for d in part} for part in parts]
    assert sum(len(g) for g in groups) == len(set[str]().union(*groups)), "a group lies whole in one part"


def test_five_thousand_rows_are_expected_in_a_part():
    assert [part_count(n) for n in (0, 1, 5_000, 5_001, 20_000)] == [1, 1, 1, 2, 4]


def test_a_split_without_rows_has_no_file(tmp_path: Path):
    record = tutoring()
    done = publish(write_shards(tmp_path, [record], []), {record.dialogue.id: KEPT}, tmp_path / "run", 1, "sample")
    assert [p.name.split("-")[0] for p in (tmp_path / "run" / "data").iterdir()] == list(done.splits)


def test_publishing_again_after_a_crash_repairs_everything(tmp_path: Path):
    records = many(20)
    decisions = {r.dialogue.id: KEPT for r in records}
    shards = write_shards(tmp_path / "s", records, [7])
    run = tmp_path / "run"
    publish(shards, decisions, run, 20, "sample")
    expected = content(run)
    (run / "data").rename(run / "data.old")  # killed between the two renames
    (run / "publish.tmp" / "data").mkdir(parents=True)
    (run / "publish.tmp" / "0.arrow").write_bytes(b"half a stream")
    publish(shards, decisions, run, 20, "sample")
    assert content(run) == expected
    assert sorted(p.name for p in run.iterdir()) == ["data", "rejected"]


def test_an_interrupted_publish_leaves_the_published_data_as_it_was(tmp_path: Path):
    records = many(6)
    decisions = {r.dialogue.id: KEPT for r in records}
    shards = write_shards(tmp_path / "s", records, [3])
    publish(shards, decisions, tmp_path / "run", 6, "sample")
    expected = content(tmp_path / "run" / "data")
    shards[1].write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"shard-1\.parquet"):
        publish(shards, decisions, tmp_path / "run", 6, "sample")
    assert content(tmp_path / "run" / "data") == expected


def test_a_shard_committed_twice_counts_once_and_a_different_row_is_an_error(tmp_path: Path):
    record = tutoring()
    again = [*write_shards(tmp_path / "a", [record], []), *write_shards(tmp_path / "b", [record], [])]
    assert publish(again, {record.dialogue.id: KEPT}, tmp_path / "run", 1, "sample").accepted == 1
    other = record.model_copy(update={"round": 5})
    stale = [*again, *write_shards(tmp_path / "c", [other], [])]
    with pytest.raises(DataError, match="two shards hold different rows"):
        publish(stale, {record.dialogue.id: KEPT}, tmp_path / "run", 1, "sample")


def test_a_dialogue_nobody_decided_about_is_our_bug(tmp_path: Path):
    with pytest.raises(OvertureError, match="nothing was decided") as caught:
        publish(write_shards(tmp_path, [tutoring()], []), {}, tmp_path / "run", 1, "sample")
    assert caught.value.exit_code == 1


def test_a_run_without_dialogues_publishes_nothing(tmp_path: Path):
    assert publish([], {}, tmp_path / "run", 10, "sample") == Published()
    assert content(tmp_path / "run") == {}


def test_splits_are_about_eighty_ten_ten():
    drawn = [split_of(f"case-{n}") for n in range(5000)]
    assert [round(drawn.count(s) / 5000, 1) for s in SPLITS] == [0.8, 0.1, 0.1]
