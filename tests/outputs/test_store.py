import errno
from pathlib import Path

import pyarrow as pa
import pytest
from corpus_samples import to_table
from dialogue_samples import conversation, many, tutoring

from outputs.files import atomic_file, replace_directory, storage_errors, write_text
from outputs.parquet import write_table
from outputs.store import count_rows, dialogue_files, read_batches, read_records, read_table
from schemas.errors import DataError, StorageError
from schemas.table import SCHEMA


def test_records_come_back_as_they_were_written(tmp_path: Path):
    records = [tutoring(), conversation()]
    write_table(tmp_path / "a.parquet", to_table(records))
    assert list(read_records([tmp_path / "a.parquet"])) == records


def test_equal_rows_are_equal_bytes_whatever_the_chunks(tmp_path: Path):
    whole = to_table(many(1200))
    chunks = pa.concat_tables([whole.slice(start, 7) for start in range(0, 1200, 7)])
    write_table(tmp_path / "whole.parquet", whole)
    write_table(tmp_path / "chunks.parquet", chunks)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "chunks.parquet").read_bytes()


def test_any_schema_can_be_written_and_no_pandas_metadata_stays(tmp_path: Path):
    table = pa.table({"x": [1, 2]}).replace_schema_metadata({"pandas": "{}", "kept": "yes"})
    write_table(tmp_path / "x.parquet", table)
    read = read_table(tmp_path / "x.parquet", columns=["x"])
    assert read["x"].to_pylist() == [1, 2]
    assert read.schema.metadata == {b"kept": b"yes"}
    assert count_rows(tmp_path / "x.parquet") == 2
    assert [b.num_rows for b in read_batches(tmp_path / "x.parquet", rows=1)] == [1, 1]


def test_a_full_disk_is_one_clear_storage_error_and_leaves_the_old_file(tmp_path: Path):
    path = tmp_path / "a.parquet"
    write_table(path, to_table([tutoring()]))
    before = path.read_bytes()
    (tmp_path / "a.parquet.tmp").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"a\.parquet: cannot write; the disk is full"):
        write_table(path, to_table(many(50)))
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.EROFS, "read-only"), (errno.EACCES, "permission denied"), (errno.EIO, "check the disk")],
)
def test_what_the_system_refuses_says_what_to_do(number: int, words: str):
    with pytest.raises(StorageError, match=words) as caught, storage_errors(Path("run/data")):
        raise OSError(number, "refused")
    assert caught.value.exit_code == 5
    assert "run/data" in str(caught.value)


def test_a_file_where_a_directory_should_be_is_a_storage_error(tmp_path: Path):
    (tmp_path / "run").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_text(tmp_path / "run" / "README.md", "text")


def test_a_block_that_fails_leaves_nothing(tmp_path: Path):
    def fail_half_way() -> None:
        with atomic_file(tmp_path / "x") as file:
            file.write(b"half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail_half_way()
    assert list(tmp_path.iterdir()) == []


def test_a_directory_is_replaced_whole(tmp_path: Path):
    for name in ("old", "new"):
        write_text(tmp_path / name / name, name)
    replace_directory(tmp_path / "new", tmp_path / "old")
    assert [p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*")] == ["old", "old/new"]


def _cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def _flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[200] ^= 0xFF
    path.write_bytes(bytes(content))


@pytest.mark.parametrize(
    "damage", [_cut_short, _flip_a_byte, lambda p: p.write_bytes(b""), lambda p: p.write_text("no")]
)
def test_a_damaged_file_is_a_data_error_that_names_it(tmp_path: Path, damage):
    path = tmp_path / "shard.parquet"
    write_table(path, to_table(many(30)))
    damage(path)
    with pytest.raises(DataError, match=r"shard\.parquet: damaged or not Parquet .*delete it and resume"):
        read_table(path)


def test_a_missing_file_is_a_data_error(tmp_path: Path):
    with pytest.raises(DataError, match="no such file"):
        read_table(tmp_path / "absent.parquet")


def test_a_file_of_other_columns_is_not_taken_for_dialogues(tmp_path: Path):
    write_table(tmp_path / "x.parquet", pa.table({"dialogue_id": ["a"]}))
    with pytest.raises(DataError, match="it lacks group_id"):
        list(read_records([tmp_path / "x.parquet"]))


def test_a_later_table_version_is_refused(tmp_path: Path):
    table = to_table([tutoring()]).replace_schema_metadata({"overture.dialogue_table": "2"})
    write_table(tmp_path / "x.parquet", table)
    with pytest.raises(DataError, match="dialogue table version 2"):
        list(read_records([tmp_path / "x.parquet"]))


def test_a_row_that_breaks_the_contract_is_named(tmp_path: Path):
    row = {**to_table([tutoring()]).to_pylist()[0], "policy": "lazy"}
    write_table(tmp_path / "x.parquet", pa.Table.from_pylist([row], schema=SCHEMA))
    with pytest.raises(DataError, match=f"row '{tutoring().dialogue.id}' is not a dialogue"):
        list(read_records([tmp_path / "x.parquet"]))


def test_a_run_directory_stands_for_its_data(tmp_path: Path):
    write_table(tmp_path / "data" / "train-00000-of-00001.parquet", to_table([tutoring()]))
    assert dialogue_files(tmp_path) == [tmp_path / "data" / "train-00000-of-00001.parquet"]
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(DataError, match="no Parquet file here"):
        dialogue_files(empty)
