"""Single verbs on Parquet files: our own table, a corpus, and what is neither."""

import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_samples import to_table
from dialogue_samples import SECRET, conversation, many
from talks import CORPORA, needs_corpora

from inference.weights import fetch
from outputs.parquet import write_table
from outputs.store import read_records
from schemas.errors import OvertureError
from schemas.judgement import Realism
from schemas.record import Record
from schemas.table import SCHEMA

Overture = Callable[..., tuple[int, str, str]]
WORDS = ("river", "lamp", "garden", "train", "music", "winter", "bread", "letter", "island", "coffee", "dog", "piano")


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Twelve lessons and twelve talks of our own, two of the talks broken."""
    talks = [_talk(conversation(n + 100), n) for n in range(12)]
    records = [*many(12), *talks[:10], *(_shouting(r) for r in talks[10:])]
    write_table(tmp_path / "own.parquet", to_table([r.model_copy(update={"selection": None}) for r in records]))
    return tmp_path / "own.parquet"


def _talk(record: Record, number: int) -> Record:
    """In words of its own: alike, they would be each other's duplicates."""
    draws = np.random.default_rng(number)
    turns = [
        t.model_copy(update={"text": " ".join(draws.choice(WORDS, 9))}) if t.text else t for t in record.dialogue.turns
    ]
    return record.model_copy(update={"dialogue": record.dialogue.model_copy(update={"turns": tuple(turns)})})


def _shouting(record: Record) -> Record:
    turns = tuple(t.model_copy(update={"text": "I like dogs and cats too."}) for t in record.dialogue.turns)
    return record.model_copy(update={"dialogue": record.dialogue.model_copy(update={"turns": turns})})


def _matching(path: Path, keep: int) -> list[Any]:
    return ["match", "--synthetic", path, "--keep", keep]


def records(path: Path) -> list[Record]:
    assert pq.read_schema(path).equals(SCHEMA)
    return list(read_records([path]))


def test_judged_dialogues_come_back_with_verdicts_and_labels(tmp_path: Path, own: Path, overture: Overture):
    code, out, _ = overture("judge", own, "--out", tmp_path / "judged.parquet")
    found = records(tmp_path / "judged.parquet")
    dropped = [r for r in found if r.selection is not None]
    counted = Counter(r.selection.reason for r in dropped if r.selection)
    reasons = ", ".join(f"{n} {reason}" for reason, n in counted.most_common())
    assert code == 0 and dropped and f"{24 - len(dropped)} of 24 dialogues are valid; dropped: {reasons}." in out
    assert {r.dialogue.scenario.family for r in dropped} >= {"conversation"} and len(found) == 24
    assert all(r.selection and not r.selection.keep and r.selection.reason != "ok" for r in dropped)
    valid = [r for r in found if r.selection is None]
    assert all(r.realism and r.realism.reason == "no_reference" and r.labels for r in valid)


def test_matching_keeps_exactly_as_many_as_wanted_and_none_that_is_invalid(
    tmp_path: Path, own: Path, overture: Overture
):
    overture("judge", own, "--out", tmp_path / "judged.parquet")
    invalid = {r.dialogue.id for r in records(tmp_path / "judged.parquet") if r.selection is not None}
    code, out, _ = overture(*_matching(tmp_path / "judged.parquet", 6), "--out", tmp_path / "kept.parquet")
    kept = records(tmp_path / "kept.parquet")
    assert code == 0 and "Kept 6 of 6 wanted" in out and len(kept) == 6
    assert all(r.selection and r.selection.keep and r.selection.reason == "no_reference" for r in kept)
    assert not invalid & {r.dialogue.id for r in kept}


def test_matching_that_ends_short_of_what_was_wanted_says_so(tmp_path: Path, overture: Overture):
    same = [r.model_copy(update={"selection": None}) for r in many(12, "conversation")]
    write_table(tmp_path / "same.parquet", to_table(same))
    code, out, _ = overture(*_matching(tmp_path / "same.parquet", 12), "--out", tmp_path / "kept.parquet")
    assert code == 3 and "near_duplicate" in out
    assert len(records(tmp_path / "kept.parquet")) < 12


def test_matching_tells_what_the_pool_can_give_and_whether_reward_was_chosen_by(tmp_path: Path, overture: Overture):
    draws = np.random.default_rng(0)
    scored = [
        record.model_copy(
            update={
                "selection": None,
                "realism": Realism(combined=float(draws.normal(0, 2))),
                "dialogue": record.dialogue.model_copy(update={"outcome": {"success": n % 3 == 0}}),
            }
        )
        for n, record in enumerate(_talk(conversation(n), n) for n in range(160))
    ]
    write_table(tmp_path / "scored.parquet", to_table(scored))
    code, out, _ = overture(*_matching(tmp_path / "scored.parquet", 150), "--out", tmp_path / "kept.parquet")
    told = " ".join(out.split())
    assert (
        code == 0 and "Feasibility: 150 wanted; at the most 160 with the hardest label balanced, 160 with all" in told
    )
    assert "The pool cannot give that many as real users are (infeasible_for_size)" in told
    assert "Kept: failure 99 of 106 (93%); success 51 of 54 (94%)" in told
    assert "Inclusion and success given the labels, partial correlation: " in told and "160 groups" in told
    kept = records(tmp_path / "kept.parquet")
    assert {r.selection.reason for r in kept if r.selection} == {"infeasible_for_size"} and len(kept) == 150


def test_scoring_labels_every_dialogue_with_every_reward(tmp_path: Path, own: Path, overture: Overture):
    code, out, _ = overture("score", own, "--out", tmp_path / "scored.parquet")
    found = records(tmp_path / "scored.parquet")
    assert code == 0 and "success" in out and len(found) == 24
    lesson = next(r for r in found if r.dialogue.scenario.family == "tutoring")
    values = {r.name: r.value for r in lesson.rewards}
    assert values["success"] == 1.0 and values["discounted_return"] is not None
    assert all(r.value is not None or r.reason for record in found for r in record.rewards)


def test_an_export_holds_every_dialogue_and_private_parts_only_when_asked_for(
    tmp_path: Path, own: Path, overture: Overture
):
    code, out, _ = overture("export", own, "--format", "jsonl", "--out", tmp_path / "d.jsonl")
    rows = [orjson.loads(line) for line in (tmp_path / "d.jsonl").read_bytes().splitlines()]
    assert code == 0 and "24 dialogues" in out and len(rows) == 24
    assert {m["role"] for m in rows[0]["messages"]} == {"user", "assistant"}
    assert not any("private" in row for row in rows)
    code, _, _ = overture("export", own, "--private", "all", "--out", tmp_path / "p.jsonl")
    assert code == 0 and SECRET in (tmp_path / "p.jsonl").read_text()


def test_a_report_of_any_dialogues_is_one_page_that_loads_nothing(tmp_path: Path, own: Path, overture: Overture):
    overture("judge", own, "--out", tmp_path / "judged.parquet")
    overture("score", tmp_path / "judged.parquet", "--out", tmp_path / "scored.parquet")
    code, _, _ = overture("report", tmp_path / "scored.parquet", "--out", tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    assert code == 0 and page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    assert "conversation" in page and "discounted return" in page.replace("_", " ")
    for loading in (' src="http', ' href="http', "@import", "url(http"):
        assert loading not in page


def test_a_run_directory_serves_as_well_as_a_file(tmp_path: Path, own: Path, overture: Overture):
    (tmp_path / "run" / "data").mkdir(parents=True)
    own.rename(tmp_path / "run" / "data" / "train-00000.parquet")
    code, _, _ = overture("score", tmp_path / "run", "--out", tmp_path / "scored.parquet")
    assert code == 0 and len(records(tmp_path / "scored.parquet")) == 24


@needs_corpora
def test_a_shared_corpus_goes_through_every_verb(tmp_path: Path, overture: Overture):
    rows = pq.read_table(CORPORA / "open_domain__tiage.parquet").slice(0, 60)
    pq.write_table(rows, tmp_path / "tiage.parquet")
    assert overture("judge", tmp_path / "tiage.parquet", "--out", tmp_path / "judged.parquet")[0] == 0
    judged = records(tmp_path / "judged.parquet")
    valid = sum(r.selection is None for r in judged)
    assert len(judged) == 60 and valid >= 50
    assert overture(*_matching(tmp_path / "judged.parquet", 30), "--out", tmp_path / "kept.parquet")[0] == 0
    assert overture("score", tmp_path / "kept.parquet", "--out", tmp_path / "scored.parquet")[0] == 0
    scored = records(tmp_path / "scored.parquet")
    assert len(scored) == 30 and all(r.rewards for r in scored)
    assert overture("export", tmp_path / "scored.parquet", "--out", tmp_path / "d.jsonl")[0] == 0
    assert overture("report", tmp_path / "scored.parquet", "--out", tmp_path / "report.html")[0] == 0
    assert "open_domain" in (tmp_path / "report.html").read_text()


@needs_corpora
@pytest.mark.real
def test_realism_by_the_real_embedder_separates_shuffled_words_from_people(tmp_path: Path, overture: Overture):
    try:
        fetch("all-minilm-l6-v2")
    except OvertureError as error:
        pytest.skip(f"no weights: {error}")
    rows = pq.read_table(CORPORA / "open_domain__tiage.parquet").slice(0, 110).to_pylist()
    schema = pq.read_schema(CORPORA / "open_domain__tiage.parquet")
    draws = np.random.default_rng(0)
    fake = [
        {
            **r,
            "dialogue_id": f"fake:{n}",
            "turns": [{**t, "text": " ".join(draws.permutation(t["text"].split()))} for t in r["turns"]],
        }
        for n, r in enumerate(rows[70:])
    ]
    pq.write_table(pa.Table.from_pylist(rows[:70], schema=schema), tmp_path / "real.parquet")
    pq.write_table(pa.Table.from_pylist(fake, schema=schema), tmp_path / "fake.parquet")
    spec = f"path:{tmp_path / 'real.parquet'}"
    code, _, err = overture(
        "judge", tmp_path / "fake.parquet", "--reference", spec, "--out", tmp_path / "judged.parquet"
    )
    assert code == 0, err
    scores = [r.realism.combined for r in records(tmp_path / "judged.parquet") if r.realism is not None]
    known = [s for s in scores if s is not None]
    assert len(known) >= 20 and sum(s < 0 for s in known) > 0.8 * len(known)
    code, _, err = overture(
        "report", tmp_path / "judged.parquet", "--reference", spec, "--out", tmp_path / "report.html"
    )
    assert code == 0, err
    assert "NgramLogistic" in (tmp_path / "report.html").read_text()


def _corpus(path: Path, turns: list[list[tuple[str, str]]]) -> Path:
    kind = pa.list_(pa.struct([("role", pa.string()), ("text", pa.string())]))
    schema = pa.schema([("dialogue_id", pa.string()), ("turns", kind)])
    rows = [
        {"dialogue_id": f"c{n}", "turns": [{"role": r, "text": t} for r, t in said]} for n, said in enumerate(turns)
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=schema), path)
    return path


def _missing(folder: Path, own: Path) -> list[Any]:
    return ["score", folder / "absent.parquet"]


def _truncated(folder: Path, own: Path) -> list[Any]:
    (folder / "cut.parquet").write_bytes(own.read_bytes()[:-900])
    return ["score", folder / "cut.parquet"]


def _no_parquet(folder: Path, own: Path) -> list[Any]:
    (folder / "text.parquet").write_text("not parquet")
    return ["judge", folder / "text.parquet"]


def _wrong_columns(folder: Path, own: Path) -> list[Any]:
    pq.write_table(pa.table({"dialogue_id": ["a"], "turn": ["x"]}), folder / "wrong.parquet")
    return ["judge", folder / "wrong.parquet"]


def _lacking(folder: Path, own: Path) -> list[Any]:
    pq.write_table(pq.read_table(own).drop_columns(["rewards"]), folder / "wrong.parquet")
    return ["report", folder / "wrong.parquet"]


def _no_dialogue(folder: Path, own: Path) -> list[Any]:
    write_table(folder / "none.parquet", SCHEMA.empty_table())
    return ["report", folder / "none.parquet"]


def _empty_reference(folder: Path, own: Path) -> list[Any]:
    return ["judge", own, "--reference", f"path:{_corpus(folder / 'empty.parquet', [])}"]


def _one_sided(folder: Path, own: Path) -> list[Any]:
    said = [[("user", f"Message {i} of {n}.") for i in range(6)] for n in range(20)]
    return ["judge", own, "--reference", f"path:{_corpus(folder / 'one.parquet', said)}"]


def _unknown_reference(folder: Path, own: Path) -> list[Any]:
    return ["report", own, "--reference", "pypi:chitchat-datasets"]


def _twice(folder: Path, own: Path) -> list[Any]:
    write_table(folder / "twice.parquet", pa.concat_tables([pq.read_table(own)] * 2))
    return _matching(folder / "twice.parquet", 2)


def _too_many(folder: Path, own: Path) -> list[Any]:
    return _matching(own, 500)


def _format(folder: Path, own: Path) -> list[Any]:
    return ["export", own, "--format", "jsnl"]


def _no_terminal(folder: Path, own: Path) -> list[Any]:
    return ["view", own]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (_missing, "absent.parquet: no such file or folder"),
        (_truncated, "cut.parquet: not a readable Parquet file"),
        (_no_parquet, "text.parquet: not a readable Parquet file"),
        (_wrong_columns, "wrong.parquet: column 'turns' is missing; did you mean 'turn'?"),
        (_lacking, "wrong.parquet: column 'rewards' is missing"),
        (_no_dialogue, "none.parquet: holds no dialogue; give a file that has some"),
        (_empty_reference, "empty.parquet': it is empty: no dialogue in it"),
        (_one_sided, "one.parquet': only one side ever speaks"),
        (_unknown_reference, "did you mean 'chitchat-dataset'?"),
        (_too_many, "--keep 500 is more than its 24 valid dialogues; ask for fewer"),
        (_twice, "is there twice; give every dialogue its own"),
        (_format, "no format 'jsnl'; did you mean 'jsonl'?"),
        (_no_terminal, "overture view needs a terminal"),
    ],
)
def test_bad_input_gets_one_message_and_exit_2(
    tmp_path: Path,
    own: Path,
    overture: Overture,
    monkeypatch: pytest.MonkeyPatch,
    given: Callable[[Path, Path], list[Any]],
    told: str,
):
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    code, _, complaint = overture(*given(tmp_path, own))
    assert code == 2 and told in complaint
    assert complaint.startswith("overture: ") and len(complaint.splitlines()) == 1 and "Traceback" not in complaint
    left = {p.name for p in tmp_path.iterdir()} & {"judged.parquet", "matched.parquet", "scored.parquet", "report.html"}
    assert not left and not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize("verb", [["judge"], ["score"], ["export"], ["report"], ["match", "--keep", 2, "--synthetic"]])
def test_a_place_that_cannot_be_written_is_exit_5(tmp_path: Path, own: Path, overture: Overture, verb: list[Any]):
    (tmp_path / "file").write_text("in the way")
    code, _, complaint = overture(*verb, own, "--out", tmp_path / "file" / "out")
    assert code == 5 and "cannot write" in complaint and len(complaint.splitlines()) == 1


def test_a_message_names_a_path_with_brackets_as_it_is(tmp_path: Path, own: Path, overture: Overture):
    _, out, _ = overture("score", own, "--out", tmp_path / "[bold]scored.parquet")
    assert f"Wrote {tmp_path / '[bold]scored.parquet'}" in out.splitlines()[-1]


def test_the_command_line_is_imported_without_anything_heavy():
    code = "import sys; from pipelines import cli; sys.stdout.write(' '.join(sys.modules))"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy = {
        "prefect",
        "torch",
        "datasets",
        "sklearn",
        "pyarrow",
        "numpy",
        "pydantic",
        "aiohttp",
        "textual",
        "rensa",
        "pandas",
    }
    assert not heavy & set(told.stdout.split())
