"""Evaluation sets from files, with one clear message for what cannot be read."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.evaluation_sets import Item, read_set
from schemas.errors import DataError


def write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def test_every_text_of_a_row_counts_and_the_row_has_the_id_it_gives_itself(tmp_path: Path):
    line = '{"task_id": "HumanEval/0", "prompt": "def f", "choices": ["a", {"text": "b"}], "n": 3, "again": "def f"}'
    path = write(tmp_path / "a.jsonl", f'{line}\n\n{{"question": "why"}}\n')
    assert list(read_set(path)) == [
        Item("HumanEval/0", ["HumanEval/0", "def f", "a", "b"]),
        Item("row 1", ["why"]),
    ]


def test_json_csv_and_parquet_are_read_alike(tmp_path: Path):
    rows = [{"id": "x", "question": "why"}, {"id": "y", "question": "how"}]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    write(tmp_path / "a.csv", "id,question\nx,why\ny,how\n")
    write(tmp_path / "a.json", '[{"id": "x", "question": "why"}, {"id": "y", "question": "how"}]')
    for kind in ("parquet", "csv", "json"):
        assert list(read_set(f"{tmp_path}/a.{kind}#columns=question")) == [Item("x", ["why"]), Item("y", ["how"])]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.jsonl", '{"q": "a"}\n{"q"', r"a\.jsonl: line 2: not JSON"),
        ("a.jsonl", '"only text"', r"row 0 is no object with named columns"),
        ("a.jsonl#columns=quesion", '{"question": "a"}', r"row 0 has no column 'quesion'; did you mean 'question'"),
        ("a.jsonl#columns=", "", r"names no columns"),
        ("a.jsonl#column=q", "", r"'#column=q' is no option; the only one is #columns"),
        ("a.txt", "", r"give a file \(\.jsonl, \.json, \.csv, \.parquet\) or hf:owner/name"),
        ("a.parquet", "no", r"a\.parquet: damaged or not Parquet"),
        ("nowhere.jsonl#", None, r"nowhere\.jsonl: no such file"),
    ],
)
def test_what_cannot_be_read_is_one_message(tmp_path: Path, name: str, text: str | None, told: str):
    if text is not None:
        write(tmp_path / name.partition("#")[0], text)
    with pytest.raises(DataError, match=told):
        list(read_set(f"{tmp_path}/{name}"))
