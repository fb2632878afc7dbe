"""Strange files through the commands as they are typed: a clear message or a stated None, never a traceback or a NaN."""

import math
import re
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from corpus_samples import CORPUS, row, to_table, write
from dialogue_samples import conversation
from talks import hashed_embed

from discriminators.user_turns import Sample
from inference.embedding_cache import CachedEmbed
from outputs.parquet import write_table
from outputs.store import read_records
from pipelines.dialogue_files import read_dialogues
from pipelines.judging import READ
from pipelines.recipe import DEFAULT_DISCRIMINATORS
from pipelines.recipe_stages import build
from pipelines.scoring import fit_scorer
from schemas.contracts import Discriminator
from schemas.record import Record
from schemas.table import SCHEMA

Overture = Callable[..., tuple[int, str, str]]
WORDS = ("river", "lamp", "garden", "train", "music", "winter", "bread", "letter", "island", "coffee", "dog", "piano")
MATCH = ("match", "--keep", 1, "--synthetic")
NAN = float("nan")


def words(number: int, count: int = 8) -> str:
    return " ".join(Random(number).choices(WORDS, k=count))


def said(number: int, *user: str, side: str = "toy") -> dict[str, Any]:
    turns = [
        {"role": role, "text": text, "acts": []}
        for i, line in enumerate(user)
        for role, text in (("assistant", f"What about {words(10 * number + i)}?"), ("user", line))
    ]
    return row(number, dialogue_id=f"{side}:{number}", turns=0) | {"turns": turns}


def strange(folder: Path, count: int = 130) -> Path:
    """Emoji alone, one turn of two megabytes, and users who differ by their words."""
    rows = [said(n, *("😀" * (n % 3 + i + 1) for i in range(3)), side="emoji") for n in range(20)]
    rows.append(said(20, "👍", "long" * 500_000, "👍", side="long"))
    rows += [said(n, f"I like {words(-n)}.", f"No, {words(-n - 1000)} was old!", "Yes.") for n in range(21, count)]
    return write(folder / "strange.parquet", rows)


def one_class(folder: Path, count: int) -> str:
    """Users who say one thing only."""
    return f"path:{write(folder / f'real{count}.parquet', [said(n, 'Yes.', 'Yes.', 'Yes.') for n in range(count)])}"


def numbers(value: Any) -> list[float]:
    """All of them, wherever they lie."""
    if isinstance(value, dict):
        return [n for part in value.values() for n in numbers(part)]
    if isinstance(value, list):
        return [n for part in value for n in numbers(part)]
    return [value] if isinstance(value, float) else []


def finite(file: Path) -> list[Record]:
    assert pq.read_schema(file).equals(SCHEMA)
    assert all(math.isfinite(n) for n in numbers(pq.read_table(file).to_pylist()))
    return list(read_records([file]))


def test_emoji_a_turn_of_two_megabytes_and_a_single_dialogue_are_judged_and_matched(tmp_path: Path, overture: Overture):
    code, out, _ = overture("judge", strange(tmp_path), "--out", tmp_path / "judged.parquet")
    assert code == 0 and "of 130 dialogues are valid" in out
    assert all(r.labels or r.selection for r in finite(tmp_path / "judged.parquet"))
    write(tmp_path / "one.parquet", [row(1)])
    code, out, _ = overture(*MATCH, tmp_path / "one.parquet", "--out", tmp_path / "kept.parquet")
    (kept,) = finite(tmp_path / "kept.parquet")
    assert code == 0 and "Kept 1 of 1 wanted" in out and "nan" not in out
    assert kept.selection and (kept.selection.pi, kept.selection.reason) == (None, "no_reference")
    assert kept.realism and (kept.realism.combined, kept.realism.reason) == (None, "no_reference")


def test_a_report_of_strange_dialogues_holds_no_nan(tmp_path: Path, overture: Overture):
    assert overture("report", strange(tmp_path), "--out", tmp_path / "report.html")[0] == 0
    assert not re.search(r"\bnan\b", (tmp_path / "report.html").read_text(), re.IGNORECASE)


def no_dialogue(folder: Path) -> Path:
    return write(folder / "none.parquet", [], CORPUS)


def spoilt(folder: Path, path: tuple[str, ...], value: float) -> Path:
    """Our table with one number that is none, at `path` of the third row."""
    rows = to_table(conversation(n) for n in range(5)).to_pylist()
    at: Any = rows[2]
    for part in path[:-1]:
        at = at[part] if isinstance(at, dict) else at[0]
    at[path[-1]] = value
    write_table(folder / "spoilt.parquet", pa.Table.from_pylist(rows, schema=SCHEMA))
    return folder / "spoilt.parquet"


@pytest.mark.parametrize("command", [("judge",), MATCH, ("report",), ("judge", "--reference", "path:x", "--synthetic")])
def test_a_file_without_dialogues_is_refused(tmp_path: Path, overture: Overture, command: tuple[object, ...]):
    code, _, complaint = overture(*command, no_dialogue(tmp_path), "--out", tmp_path / "out")
    assert code == 2 and not (tmp_path / "out").exists()
    last = complaint.splitlines()[-1]
    assert re.fullmatch(r"overture: \S+none\.parquet: holds no (valid )?dialogue.*; give a file that has some", last)


@pytest.mark.parametrize("command", [("judge",), MATCH, ("report",), ("score",), ("export",)])
@pytest.mark.parametrize(
    ("path", "value"),
    [(("realism", "combined"), NAN), (("selection", "pi"), math.inf), (("rewards", "0", "value"), NAN)],
)
def test_a_number_that_is_none_is_refused_with_file_row_and_field(
    tmp_path: Path, overture: Overture, command: tuple[object, ...], path: tuple[str, ...], value: float
):
    code, _, complaint = overture(*command, spoilt(tmp_path, path, value), "--out", tmp_path / "out")
    field = {"realism": "realism.combined", "selection": "selection.pi", "rewards": "rewardvalue.value"}[path[0]]
    wanted = f"spoilt.parquet: row 2 is no dialogue: {field}: Input should be a finite number; mend or drop the row"
    assert code == 2 and wanted in complaint and len(complaint.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [("judge",), MATCH, ("judge", "--synthetic"), ("report",)])
def test_a_reference_of_five_dialogues_is_refused_by_name(
    tmp_path: Path, overture: Overture, monkeypatch: pytest.MonkeyPatch, command: tuple[object, ...]
):
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path / "cache"))
    spec = one_class(tmp_path, 5)
    code, _, complaint = overture(*command, strange(tmp_path), "--reference", spec, "--out", tmp_path / "out")
    assert code == 2 and f"reference '{spec}': too small to split by source" in complaint
    assert "bring more dialogues" in complaint and "Traceback" not in complaint


@pytest.mark.parametrize("count", [1, 3, 40])
def test_a_scorer_of_next_to_no_reference_gives_numbers_or_reasons(tmp_path: Path, count: int):
    """Fewer than a file may have, but a split of it."""
    one_class(tmp_path, count)
    real, synthetic = (
        [r.dialogue for r in read_dialogues(file)] for file in (tmp_path / f"real{count}.parquet", strange(tmp_path))
    )
    named = {s.rsplit(".", 1)[-1]: build(s, Discriminator) for s in DEFAULT_DISCRIMINATORS}
    scorer = fit_scorer(named, *([Sample.of(d) for d in side] for side in (real, synthetic)), hashed_embed, 0)
    judged = list(scorer.judged(synthetic))
    assert len(judged) == 130
    for found in judged:
        scores = (*found.realism.scores.values(), found.realism.combined)
        assert found.realism.reason == "too_few_to_fit" if count == 1 else all(s is not None for s in scores)
        assert found.residuals is not None and np.isfinite(found.residuals).all()


def embedded(folder: Path, monkeypatch: pytest.MonkeyPatch, *files: Path) -> None:
    """Vectors of all that users say there lie in the cache: no embedder is started."""
    monkeypatch.setenv("OVERTURE_CACHE", str(folder / "cache"))
    samples = [Sample.of(r.dialogue) for file in files for r in read_dialogues(file)]
    texts = {t.text for sample in samples for side in (sample, sample.masked()) for t in side.turns}
    CachedEmbed(hashed_embed, "all-minilm-l6-v2", print)(sorted(texts | {text[:READ] for text in texts}))


def test_strange_dialogues_are_matched_with_a_reference_whose_users_say_one_thing(
    tmp_path: Path, overture: Overture, monkeypatch: pytest.MonkeyPatch
):
    spec, file = one_class(tmp_path, 60), strange(tmp_path)
    embedded(tmp_path, monkeypatch, Path(spec.removeprefix("path:")), file)
    out_file = tmp_path / "kept.parquet"
    code, out, err = overture("match", "--synthetic", file, "--reference", spec, "--keep", 80, "--out", out_file)
    assert code == 0, err
    kept = finite(out_file)
    assert len(kept) == 80 and "infeasible_for_size" in out and "nan" not in out.lower()
    assert all(r.realism and r.realism.combined is not None for r in kept)


def test_strange_dialogues_are_compared_with_a_reference_whose_users_say_one_thing(
    tmp_path: Path, overture: Overture, monkeypatch: pytest.MonkeyPatch
):
    spec, file = one_class(tmp_path, 120), strange(tmp_path)
    embedded(tmp_path, monkeypatch, Path(spec.removeprefix("path:")), file)
    code, out, err = overture("judge", "--synthetic", file, "--reference", spec, "--out", tmp_path / "j")
    assert code == 0, err
    rows = orjson.loads((tmp_path / "j" / "judgement.json").read_bytes())["rows"]
    assert all(r["found"] is not None or r["verdict"].startswith("not tested: ") for r in rows)
    assert any(r["found"] is not None for r in rows)
    shown = (tmp_path / "j" / "judgement.html").read_text()
    assert not any(re.search(r"\bnan\b", text, re.IGNORECASE) for text in (out, shown, str(rows)))


def test_a_single_dialogue_gets_reasons_where_a_number_would_be(
    tmp_path: Path, overture: Overture, monkeypatch: pytest.MonkeyPatch
):
    spec, file = one_class(tmp_path, 60), write(tmp_path / "one.parquet", [said(1, "No.", "I like it.", "Yes.")])
    embedded(tmp_path, monkeypatch, Path(spec.removeprefix("path:")), file)
    beside = ("--reference", spec, "--out")
    assert overture("judge", file, *beside, tmp_path / "judged.parquet")[0] == 0
    (judged,) = finite(tmp_path / "judged.parquet")
    assert judged.realism and (judged.realism.combined, judged.realism.reason) == (None, "too_few_to_fit")
    assert overture(*MATCH, file, *beside, tmp_path / "kept.parquet")[0] == 0
    (kept,) = finite(tmp_path / "kept.parquet")
    assert kept.selection and (kept.selection.pi, kept.selection.reason) == (None, "too_few_to_match")
    assert overture("judge", "--synthetic", file, *beside, tmp_path / "j")[0] == 0
    rows = orjson.loads((tmp_path / "j" / "judgement.json").read_bytes())["rows"]
    assert {r["found"] for r in rows} == {None}
    assert {r["verdict"] for r in rows} <= {"not tested: too_few_groups", "not tested: no_turns"}
