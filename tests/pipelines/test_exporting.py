"""`overture export` from the command line's side: where files go, what is told, what is wrong."""

from pathlib import Path

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from trainer_samples import HIDDEN, balanced, write

from outputs.exports.files import STATE
from pipelines.exporting import Order, run
from schemas.errors import DataError, InputError


@pytest.fixture(scope="module")
def dialogues(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("dialogues") / "pencils.parquet", balanced(40))


def test_without_out_the_files_go_to_a_folder_of_their_own(
    dialogues: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.chdir(tmp_path)
    assert run(Order(dialogues, "trl-sft")) == 0
    folder = tmp_path / "exports" / "pencils" / "trl-sft"
    assert {p.name for p in folder.iterdir()} == {STATE, "train.parquet", "validation.parquet", "test.parquet"}
    told = capsys.readouterr().out
    assert told == "60 rows: test.parquet 1, train.parquet 57, validation.parquet 2. Wrote exports/pencils/trl-sft\n"
    run(Order(dialogues, "trl-sft"))
    assert "test.parquet 1 (there already), train.parquet 57 (there already)" in capsys.readouterr().out


def test_other_dialogues_under_the_same_name_are_exported_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    path, out = tmp_path / "x.parquet", str(tmp_path / "out")
    write(path, balanced(4))
    run(Order(path, "openai", out))
    write(path, balanced(6))
    run(Order(path, "openai", out))
    assert "there already" not in capsys.readouterr().out


def test_one_file_by_path_and_by_url(dialogues: Path, tmp_path: Path):
    assert run(Order(dialogues, "trl-kto", str(tmp_path / "kto.parquet"), split="train")) == 0
    assert run(Order(dialogues, "trl-kto", "memory://one/kto.parquet", split="train")) == 0
    assert [p.name for p in tmp_path.iterdir()] == ["kto.parquet"]
    store = fsspec.filesystem("memory")
    assert store.cat_file("/one/kto.parquet") == (tmp_path / "kto.parquet").read_bytes()
    assert store.find("/one") == ["/one/kto.parquet"]


def test_all_private_parts_are_those_of_the_format(dialogues: Path, tmp_path: Path):
    run(Order(dialogues, "jsonl", str(tmp_path / "d.jsonl"), ("all",)))
    assert len(orjson.loads((tmp_path / "d.jsonl").read_bytes().splitlines()[0])["private"]) == 8
    run(Order(dialogues, "collabllm", str(tmp_path / "c"), ("all",)))
    row = orjson.loads((tmp_path / "c" / "train.jsonl").read_bytes().splitlines()[0])
    assert HIDDEN in row["single_turn_prompt"]
    run(Order(dialogues, "trl-sft", str(tmp_path / "sft"), ("all",)))
    assert pq.read_schema(tmp_path / "sft" / "test.parquet").names == ["prompt", "completion"]


def test_a_corpus_without_scenarios_has_lines_and_no_views(tmp_path: Path):
    turns = [{"role": "user", "text": "Hi."}, {"role": "assistant", "text": "Hello."}]
    pq.write_table(pa.Table.from_pylist([{"dialogue_id": "a", "turns": turns}]), tmp_path / "real.parquet")
    assert run(Order(tmp_path / "real.parquet", "jsonl", str(tmp_path / "x.jsonl"))) == 0
    assert len((tmp_path / "x.jsonl").read_bytes().splitlines()) == 1
    with pytest.raises(DataError, match=r"real\.parquet: not a dialogue table"):
        run(Order(tmp_path / "real.parquet", "trl-sft", str(tmp_path / "out")))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"split": "tests"}, "--split: no split 'tests'; did you mean 'test'"),
        ({"format": "trl-sftt"}, "no format 'trl-sftt'; did you mean 'trl-sft'"),
        ({"out": "hf://datasets/alone"}, "'alone' is no repository of the hub; give OWNER/NAME"),
        ({"out": "x.jsonl"}, r"--out x\.jsonl: this format is written as \.parquet"),
        ({"out": "nowhere://x"}, "--out nowhere://x: Protocol not known: nowhere"),
        ({"path": Path("absent.parquet")}, r"absent\.parquet: no such file"),
    ],
)
def test_what_is_wrong_is_one_clear_message(dialogues: Path, tmp_path: Path, changed: dict[str, object], told: str):
    order = Order(dialogues, "trl-sft", str(tmp_path / "out"))._replace(**changed)
    with pytest.raises(InputError, match=told):
        run(order)
