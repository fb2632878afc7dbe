"""Files of exports: which there are, what lies in them, what becomes of an interruption."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dialogue_samples import PLAN_SECRET, conversation, many, tutoring
from trainer_samples import HIDDEN, SECRETS, balanced, write

from outputs.columns import PRIVATE
from outputs.exports.export import FORMATS, Order, Source, export, export_file
from outputs.exports.files import STATE
from outputs.exports.place import Folder, opened
from outputs.views.reading import view_tables
from schemas.errors import DataError, InputError, StorageError
from schemas.record import Record, messages


def source(work: Path, records: list[Record], name: str = "dialogues") -> Source:
    path = write(work / f"{name}.parquet", records)
    scratch = work / "scratch"
    scratch.mkdir(exist_ok=True)
    return Source(lambda view: view_tables(view, path, scratch), lambda: iter(records), fingerprint=name)


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}


@pytest.fixture(scope="module")
def siblings(tmp_path_factory: pytest.TempPathFactory) -> Source:
    return source(tmp_path_factory.mktemp("siblings"), balanced(40))


@pytest.fixture
def two(tmp_path: Path) -> Source:
    return source(tmp_path, [tutoring(), conversation()], "two")


def exported(given: Source, folder: Path, format_: str, *private: str, split: str | None = None) -> dict[str, int]:
    return export(Order(format_, frozenset(private), split), given, Folder(folder)).files


COLUMNS = {
    "trl-sft": ["prompt", "completion"],
    "trl-dpo": ["prompt", "chosen", "rejected"],
    "trl-kto": ["prompt", "completion", "label"],
    "trl-grpo": ["prompt", "ground_truth", "verifier", "data_source", "scenario_id"],
    "trl-reward": ["prompt", "chosen", "rejected", "margin"],
    "trl-prm": ["prompt", "completions", "labels"],
    "verl-rl": ["data_source", "prompt", "ability", "reward_model", "extra_info"],
    "verl-sft": ["messages"],
    "sharegpt": ["id", "conversations"],
    "openai": ["messages"],
    "collabllm": [
        "prompt",
        "completion",
        "conv_id",
        "turn_id",
        "score",
        "single_turn_prompt",
        "single_turn_completion",
        "single_turn_metadata",
    ],
}


def test_every_format_has_its_columns_here():
    assert {*COLUMNS, "jsonl"} == set(FORMATS)


@pytest.mark.parametrize("name", COLUMNS)
def test_a_format_has_exactly_the_columns_that_its_reader_wants(siblings: Source, tmp_path: Path, name: str):
    made = exported(siblings, tmp_path, name, *(["facts"] if name == "collabllm" else []))
    assert {file.removeprefix("rl_").removeprefix("sft_").split(".")[0] for file in made} == {
        "train",
        "validation",
        "test",
    }
    for file, rows in made.items():
        if file.endswith(".jsonl"):
            found = lines(tmp_path / file)
            assert [list(row) for row in found] == [COLUMNS[name]] * rows
        else:
            table = pq.read_table(tmp_path / file)
            assert table.column_names == COLUMNS[name] and table.num_rows == rows


def test_verl_files_are_named_as_its_configs_name_them(siblings: Source, tmp_path: Path):
    assert "rl_train.parquet" in exported(siblings, tmp_path / "rl", "verl-rl")
    assert "sft_train.parquet" in exported(siblings, tmp_path / "sft", "verl-sft")
    row = pq.read_table(tmp_path / "rl" / "rl_test.parquet").to_pylist()[0]
    assert row["reward_model"] == {"style": "rule", "ground_truth": row["reward_model"]["ground_truth"]}
    assert float(row["reward_model"]["ground_truth"]) and row["data_source"] == "overture/tutoring"
    assert row["extra_info"]["split"] == "test" and row["extra_info"]["index"].startswith(
        row["extra_info"]["dialogue_id"]
    )


def test_the_same_dialogues_are_the_same_bytes_and_a_second_time_nothing_is_written(siblings: Source, tmp_path: Path):
    for name in ("trl-dpo", "openai"):
        exported(siblings, tmp_path / "a", name)
        exported(siblings, tmp_path / "b", name)
        assert files(tmp_path / "a") == files(tmp_path / "b")
        before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
        again = export(Order(name), siblings, Folder(tmp_path / "a"))
        assert again.kept == set(again.files) == before.keys() - {STATE}
        assert before == {path.name: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    assert set(files(tmp_path / "a")) == {STATE, "train.jsonl", "validation.jsonl", "test.jsonl"}


def test_other_dialogues_take_the_place_of_those_before(siblings: Source, tmp_path: Path, two: Source):
    exported(siblings, tmp_path / "out", "trl-sft")
    exported(two, tmp_path / "out", "trl-sft")
    assert set(files(tmp_path / "out")) == {STATE, "train.parquet"}


def test_one_split_is_kept_when_the_others_are_asked_for(siblings: Source, tmp_path: Path):
    assert set(exported(siblings, tmp_path, "trl-sft", split="test")) == {"test.parquet"}
    made = export(Order("trl-sft"), siblings, Folder(tmp_path))
    assert made.kept == {"test.parquet"} and len(made.files) == 3
    assert set(exported(siblings, tmp_path, "trl-sft", split="test")) == {"test.parquet"}


def test_an_interruption_while_rows_are_read_leaves_nothing(siblings: Source, tmp_path: Path):
    def cut(view: str) -> Iterator[pa.Table]:
        yield next(siblings.tables(view)).slice(0, 5)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exported(Source(cut, siblings.records, siblings.fingerprint), tmp_path / "out", "trl-sft")
    assert files(tmp_path / "out") == {}
    exported(siblings, tmp_path / "out", "trl-sft")
    exported(siblings, tmp_path / "whole", "trl-sft")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


class Failing(Folder):
    """Takes two things (a file and what is said of it), then its disk is full."""

    taken = 0

    def put(self, staged: Path, name: str) -> None:
        self.taken += 1
        if self.taken > 2:
            raise StorageError("full")
        super().put(staged, name)


def test_an_interruption_between_two_files_keeps_the_first(siblings: Source, tmp_path: Path):
    with pytest.raises(StorageError, match="full"):
        export(Order("trl-sft"), siblings, Failing(tmp_path / "out"))
    there = {name for name in files(tmp_path / "out") if not name.startswith(".")}
    assert len(there) == 1
    made = export(Order("trl-sft"), siblings, Folder(tmp_path / "out"))
    assert made.kept == there and len(made.files) == 3
    exported(siblings, tmp_path / "whole", "trl-sft")
    assert files(tmp_path / "out") == files(tmp_path / "whole")


def test_a_file_that_was_cut_off_is_made_again(siblings: Source, tmp_path: Path):
    exported(siblings, tmp_path, "trl-sft")
    whole = files(tmp_path)
    (tmp_path / "test.parquet").write_bytes(whole["test.parquet"][:100])
    made = export(Order("trl-sft"), siblings, Folder(tmp_path))
    assert made.kept == {"train.parquet", "validation.parquet"} and files(tmp_path) == whole


def test_an_object_store_gets_the_same_files(siblings: Source, tmp_path: Path):
    exported(siblings, tmp_path, "trl-kto")
    with opened("memory://exports/kto") as place:
        export(Order("trl-kto"), siblings, place)
    store = fsspec.filesystem("memory")
    assert {Path(p).name: store.cat_file(p) for p in store.find("/exports/kto")} == files(tmp_path)
    with opened("memory://exports/kto") as place:
        again = export(Order("trl-kto"), siblings, place)
    assert again.kept == set(again.files)


def test_an_address_that_nobody_knows_is_one_clear_message():
    with pytest.raises(InputError, match=r"export: --out ftpz://x/y: Protocol not known: ftpz"), opened("ftpz://x/y"):
        pass


def test_one_file_holds_one_split_or_rows_that_tell_theirs(siblings: Source, tmp_path: Path):
    with pytest.raises(InputError, match=r"one file would mix \w+ and \w+; add --split"):
        export_file(Order("trl-sft"), siblings, Folder(tmp_path), "x.parquet")
    assert files(tmp_path) == {}
    export_file(Order("trl-sft", split="train"), siblings, Folder(tmp_path), "x.parquet")
    export_file(Order("prompts"), siblings, Folder(tmp_path), "x.jsonl")
    assert {row["split"] for row in lines(tmp_path / "x.jsonl")} == {"train", "validation", "test"}
    assert set(files(tmp_path)) == {"x.parquet", "x.jsonl"}


def test_nothing_to_write_is_said_with_its_reason(tmp_path: Path):
    none = source(tmp_path, [conversation()])
    with pytest.raises(DataError, match="nothing to write as trl-dpo: the view 'preference' gave no rows"):
        exported(none, tmp_path / "out", "trl-dpo")
    assert files(tmp_path / "out") == {}


def test_a_line_of_jsonl_holds_messages_public_labels_and_rewards(two: Source, tmp_path: Path):
    exported(two, tmp_path, "jsonl")
    row, talk = lines(tmp_path / "train.jsonl")
    assert row["messages"] == messages(tutoring().dialogue)
    assert [(r["name"], r["value"], r["reason"]) for r in row["rewards"]] == [
        ("success", 1.0, None),
        ("saving", None, "no_sibling"),
    ]
    assert talk["labels"] == {"question": "no", "length": "short"}
    assert [t["message"] for t in row["turns"]] == [0, 1, 2, None, None, 3]
    assert talk["turns"][0]["labels"] == {"topic_shift": True} and row["turns"][5]["labels"] == {}
    assert all("parts" not in r for r in row["rewards"])


def test_one_dialogue_is_one_line(tmp_path: Path):
    given = source(tmp_path, many(30))
    export_file(Order("jsonl"), given, Folder(tmp_path / "out"), "x.jsonl")
    assert [row["id"] for row in lines(tmp_path / "out" / "x.jsonl")] == [r.dialogue.id for r in many(30)]


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"collabllm"}))
def test_private_text_stays_unless_it_was_said(siblings: Source, tmp_path: Path, name: str):
    exported(siblings, tmp_path, name)
    for path in tmp_path.iterdir():
        text = str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()
        for secret in SECRETS:
            assert secret not in text, f"{secret} in {path.name}"


def test_private_columns_leave_by_name_and_only_those(two: Source, tmp_path: Path):
    exported(two, tmp_path / "a", "jsonl", "facts", "plan")
    row = lines(tmp_path / "a" / "train.jsonl")[0]
    assert set(row["private"]) == {"facts", "plan"} and row["private"]["facts"][0]["value"] == "41"
    exported(two, tmp_path / "b", "jsonl", *PRIVATE)
    assert PLAN_SECRET in (tmp_path / "b" / "train.jsonl").read_text()
    exported(two, tmp_path / "a", "jsonl")
    assert "private" not in lines(tmp_path / "a" / "train.jsonl")[0]


@pytest.mark.parametrize(
    ("order", "told"),
    [
        (Order("jsonl", frozenset({"fact"})), "jsonl holds no private 'fact'; did you mean 'facts'"),
        (Order("trl-sft", frozenset({"facts"})), "trl-sft holds no private 'facts'; leave --private out"),
        (
            Order("distillation"),
            "distillation holds what one side knew alone; add --private distillation to let it out",
        ),
        (Order("collabllm"), "collabllm holds what one side knew alone; add --private facts to let it out"),
        (Order("json"), "no format 'json'; did you mean 'jsonl'"),
    ],
)
def test_a_wrong_or_lacking_name_is_told(two: Source, tmp_path: Path, order: Order, told: str):
    with pytest.raises(InputError, match=told):
        export(order, two, Folder(tmp_path / "out"))
    assert files(tmp_path / "out") == {}


def test_a_private_view_leaves_when_it_is_named(siblings: Source, tmp_path: Path):
    exported(siblings, tmp_path, "distillation", "distillation")
    row = lines(tmp_path / "test.jsonl")[0]
    assert HIDDEN in str(row["view_privileged"]) and HIDDEN not in str(row["view_public"])
