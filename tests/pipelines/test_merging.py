"""`overture merge`: no id twice, splits kept, manifests joined."""

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from dialogue_samples import branch, conversation, dialogue_id, many, tutoring
from published_samples import published_run

from outputs.licences import Source
from outputs.manifest import Manifest, read_manifest
from outputs.publish import split_of
from outputs.spent import Tokens
from outputs.store import read_records
from pipelines.derived import FOLDERS
from pipelines.merging import merge
from schemas.errors import DataError, InputError
from schemas.record import Record

Overture = Callable[..., tuple[int, str, str]]
LESSONS = many(12)
CHATS = [conversation(n) for n in range(20, 26)]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Lessons, and chats with two lessons that are the same to the byte; shared alike, as one source asks."""
    folder = tmp_path_factory.mktemp("runs")
    shared = (Source(name="stories", kind="problems", licence="CC BY-SA 4.0"),)
    lessons = published_run(folder / "lessons", [*LESSONS, branch(LESSONS[0], 0)], [dialogue_id(10), dialogue_id(11)])
    chats = published_run(
        folder / "chats", [*CHATS, *LESSONS[:2]], sources=shared, seed=9, tokens={"user": Tokens(calls=4)}
    )
    return lessons, chats


@pytest.fixture(scope="module")
def merged(runs: tuple[Path, Path]) -> Path:
    out = runs[0].parent / "both"
    assert merge(runs, out) == 0
    return out


def rows(run: Path, *folders: str) -> list[Record]:
    return list(read_records([p for f in folders or FOLDERS for p in sorted((run / f).glob("*.parquet"))]))


def manifest(run: Path) -> Manifest:
    return read_manifest(run / "manifest.json")


def test_every_row_of_both_is_there_once_and_as_it_was(runs: tuple[Path, Path], merged: Path):
    for folder in FOLDERS:
        wanted = {r.dialogue.id: r for run in runs for r in rows(run, folder)}
        found = rows(merged, folder)
        assert {r.dialogue.id: r for r in found} == wanted and len(found) == len(wanted)
    assert len(rows(merged, "data")) == len(LESSONS) - 2 + len(CHATS)


def test_every_dialogue_lies_in_the_split_of_its_base_case(merged: Path):
    for file in sorted((merged / "data").glob("*.parquet")):
        split = file.name.partition("-")[0]
        assert {split_of(r.dialogue.scenario.base_case_id) for r in read_records([file])} == {split}
        assert {r.split for r in read_records([file])} == {split}


def test_counts_sources_and_costs_are_joined_and_the_strictest_licence_holds(runs: tuple[Path, Path], merged: Path):
    one, two, both = (manifest(run) for run in (*runs, merged))
    assert both.accepted == len(rows(merged, "data")) < one.accepted + two.accepted
    assert [s.count for s in both.totals] == [len(LESSONS) + len(CHATS), both.accepted]
    assert set(both.sources) == {*one.sources, *two.sources}
    assert one.terms.licence == "apache-2.0" and both.terms.licence == two.terms.licence == "cc-by-sa-4.0"
    assert both.tokens["assistant"].prompt == one.tokens["assistant"].prompt
    assert both.tokens["user"].calls == 4 and both.spent.tokens.calls == 2 * one.spent.tokens.calls
    assert both.families == ("conversation", "tutoring")
    assert sum(s.n for s in both.rewards if s.name == "success") == len(LESSONS) - 2


def test_what_cannot_be_added_up_is_listed_run_by_run(runs: tuple[Path, Path], merged: Path):
    one, both = manifest(runs[0]), manifest(merged)
    assert len(both.realism) == 2 * len(one.realism)
    assert {m.family for m in both.realism if m.family.startswith("tutoring")} == {
        "tutoring (lessons)",
        "tutoring (chats)",
    }
    assert {h.family for h in both.heads if not h.family.endswith(")")} <= {"conversation"}
    told = " ".join(both.limits)
    assert "Joined from lessons (10), chats (8)" in told and "of single runs" in told and "seed" in told
    assert both.fingerprints == one.fingerprints
    for run in runs:
        kept = merged / "origin" / run.name
        assert (kept / "manifest.json").read_bytes() == (run / "manifest.json").read_bytes()
        assert (kept / "config.resolved.yaml").is_file()


def test_datasets_loads_what_was_merged(merged: Path):
    import datasets  # of this test alone: slow to import

    loaded = datasets.load_dataset(str(merged), "dialogues")
    ids = [name for split in loaded.values() for name in split["dialogue_id"]]
    assert sorted(ids) == sorted(r.dialogue.id for r in rows(merged, "data"))
    assert "Sources and licences" in (merged / "README.md").read_text() and (merged / "report.html").is_file()


def test_the_same_merge_again_writes_the_same_bytes_and_the_order_of_runs_moves_no_row(
    runs: tuple[Path, Path], merged: Path, tmp_path: Path
):
    def content(run: Path) -> dict[str, bytes]:
        return {str(p.relative_to(run)): p.read_bytes() for p in sorted(run.rglob("*.parquet"))}

    before = content(merged)
    (merged / "data").rename(merged / "data.old")  # killed between two renames
    assert merge(runs, merged) == 0
    merge(runs[::-1], tmp_path / "turned")
    assert content(merged) == before == content(tmp_path / "turned")


def test_different_rows_of_one_id_are_an_error_that_names_both_runs(runs: tuple[Path, Path], tmp_path: Path):
    other = tutoring(0).model_copy(update={"round": 5})
    later = published_run(tmp_path / "later", [other])
    with pytest.raises(DataError, match=f"{dialogue_id(0)}: lessons and later hold different rows .*differ in round"):
        merge([runs[0], later], tmp_path / "out")
    assert merge(runs, tmp_path / "out") == 0, "nothing was published there"


def test_rows_in_another_split_than_their_base_case_are_refused(runs: tuple[Path, Path], tmp_path: Path):
    run = published_run(tmp_path / "elsewhere", [conversation(40)])
    [file] = (run / "data").glob("*.parquet")
    table = pq.read_table(file)
    place = table.schema.get_field_index("split")
    pq.write_table(table.set_column(place, table.schema.field(place), [["else"]]), file)
    with pytest.raises(DataError, match=r"is in split 'else', its base case .* publish the run"):
        merge([runs[0], run], tmp_path / "out")


def test_a_place_where_something_lies_is_left_alone(runs: tuple[Path, Path], overture: Overture):
    code, _, told = overture("merge", *runs, "--out", runs[0])
    assert code == 2 and "something else lies there" in told
    code, _, told = overture("merge", runs[0], runs[0], "--out", runs[0].parent / "new")
    assert code == 2 and "two runs or more, each once" in told
    code, _, told = overture("merge", runs[0], runs[0].parent / "nowhere", "--out", runs[0].parent / "new")
    assert code == 2 and "no manifest; give a run directory" in told
    with pytest.raises(InputError, match="two runs"):
        merge([runs[0]], runs[0].parent / "new")
