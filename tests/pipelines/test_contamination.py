"""`overture contamination`: overlaps reported by set and item, whole groups rejected with a reason."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from dialogue_samples import branch, conversation, dialogue_id, many
from published_samples import published_run

from outputs.manifest import read_manifest
from outputs.store import read_records
from schemas.record import Record

Overture = Callable[..., tuple[int, str, str]]
ITEM = (
    "A farmer has seventeen sheep and all but nine of them run away one night before the market opens again; "
    "how many sheep does the farmer have left in the morning?"
)
SHORT = "What is heavier, lead or feathers?"


def says(record: Record, text: str) -> Record:
    turns = list(record.dialogue.turns)
    turns[0] = turns[0].model_copy(update={"text": text})
    return record.model_copy(update={"dialogue": record.dialogue.model_copy(update={"turns": tuple(turns)})})


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten lessons in groups of two, the second one and a branch of the fifth contaminated, and a chat with a plan."""
    lessons = many(10)
    lessons[1] = says(lessons[1], f"Here is one. {ITEM.upper()} Take your time.")
    chat = conversation(30)
    scenario = chat.dialogue.scenario.model_copy(update={"plan": {"topics": [f"riddles: {SHORT}"]}})
    chat = chat.model_copy(update={"dialogue": chat.dialogue.model_copy(update={"scenario": scenario})})
    branches = [branch(lessons[0], 0), says(branch(lessons[4], 0), ITEM), branch(lessons[6], 0)]
    return published_run(tmp_path_factory.mktemp("runs") / "lessons", [*lessons, chat, *branches], [dialogue_id(8)])


@pytest.fixture
def sets(tmp_path: Path) -> tuple[Path, Path]:
    riddles, other = tmp_path / "riddles.jsonl", tmp_path / "other.jsonl"
    rows = [{"id": "sheep", "question": ITEM}, {"id": "lead", "question": SHORT}, {"id": "x", "question": "Yes?"}]
    riddles.write_bytes(b"\n".join(map(orjson.dumps, rows)))
    other.write_text('{"question": "How far is it from here to the other end of the world and back again, roughly?"}')
    return riddles, other


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def rows(run: Path, folder: str) -> dict[str, Record]:
    return {r.dialogue.id: r for r in read_records(sorted((run / folder).glob("*.parquet")))}


def test_what_overlaps_with_what_is_told_with_its_share_and_interval(
    run: Path, sets: tuple[Path, Path], tmp_path: Path, overture: Overture
):
    found = tmp_path / "found.jsonl"
    code, told, _ = overture("contamination", run, "--against", sets[0], "--against", sets[1], "--found", found)
    assert code == 0
    assert "riddles.jsonl (3 items, " in told and "2 of 10 dialogues overlap, of 2 of 6 base cases (33.3%, 95%" in told
    assert "; and 1 of 3 branches" in told
    assert "other.jsonl (1 items; " in told and "0 of 10 dialogues overlap, of 0 of 6 base cases (0.0%" in told
    overlaps = lines(found)
    where = {(o["dialogue_id"], o["item"]): o["where"] for o in overlaps}
    assert where[dialogue_id(1), "sheep"] == "turns[0].text" and where[dialogue_id(30), "lead"] == "plan.topics[0]"
    assert len(overlaps) == 3 and {o["set"] for o in overlaps} == {"riddles.jsonl"}, "and the branch"
    assert not (run / "origin").exists()


def test_groups_that_overlap_are_rejected_as_a_whole_and_told(
    run: Path, sets: tuple[Path, Path], tmp_path: Path, overture: Overture
):
    out = tmp_path / "clean"
    assert overture("contamination", run, "--against", sets[0], "--remove", "--out", out)[0] == 0
    gone = {dialogue_id(n) for n in (0, 1, 4, 5, 30)}
    assert rows(out, "data").keys() == rows(run, "data").keys() - gone
    rejected = {name: r.selection.reason for name, r in rows(out, "rejected").items() if r.selection}
    assert rejected == {**dict.fromkeys(gone, "evaluation_overlap"), dialogue_id(8): "too_few_turns"}
    assert {r.dialogue.origin.dialogue_id for r in rows(out, "branches").values() if r.dialogue.origin} == {
        dialogue_id(6)
    }
    kept = rows(run, "data")
    assert all(r == kept[name] for name, r in rows(out, "data").items())
    manifest = read_manifest(out / "manifest.json")
    assert (manifest.status, manifest.accepted) == ("short", 5)
    assert manifest.totals[-1].reasons == {"evaluation_overlap": 5, "too_few_turns": 1}
    assert "5 dialogues of 3 groups repeated items" in " ".join(manifest.limits)
    assert "riddles.jsonl" in (out / "README.md").read_text()
    assert "0 of 5 dialogues overlap" in overture("contamination", out, "--against", sets[0])[1]


def test_removing_again_goes_on_where_it_was_killed_and_ends_in_the_same_bytes(
    run: Path, sets: tuple[Path, Path], tmp_path: Path, overture: Overture
):
    def content(path: Path) -> dict[str, bytes]:
        return {str(p.relative_to(path)): p.read_bytes() for p in sorted(path.rglob("*.parquet"))}

    command = ("contamination", run, "--against", sets[0], "--remove", "--out", tmp_path / "clean")
    overture(*command)
    whole = content(tmp_path / "clean")
    (tmp_path / "clean" / "rows.tmp").mkdir()
    (tmp_path / "clean" / "rows.tmp" / "0.parquet").write_bytes(b"half")
    (tmp_path / "clean" / "manifest.json").unlink()
    assert overture(*command)[0] == 0 and content(tmp_path / "clean") == whole
    assert not (tmp_path / "clean" / "rows.tmp").exists()


def test_without_a_word_of_where_to_or_with_nothing_to_look_for_it_refuses(
    run: Path, sets: tuple[Path, Path], tmp_path: Path, overture: Overture
):
    for more in (("--remove",), ("--out", tmp_path / "x")):
        code, _, told = overture("contamination", run, "--against", sets[0], *more)
        assert code == 2 and "--remove and --out DIR go together" in told
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    code, _, told = overture("contamination", run, "--against", empty)
    assert code == 2 and "holds no item" in told
    code, _, told = overture("contamination", run, "--against", sets[0], "--remove", "--out", run)
    assert code == 2 and "something else lies there" in told
