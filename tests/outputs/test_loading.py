"""The lines that a card prints, executed as they are printed: from the directory, streamed, and from an object store."""

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import s3fs
from every_config import run_with_every_config
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from outputs.card import DataFile, configs_of
from outputs.views.registry import PUBLISHED

CONFIGS = ("dialogues", *PUBLISHED, "rejected", "branches")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory in which `path/to/this/directory` of the card and `runs/quickstart` of the docs are a run."""
    folder = tmp_path_factory.mktemp("here")
    run = run_with_every_config(folder / "path" / "to" / "this" / "directory")
    (folder / "runs").mkdir()
    (folder / "runs" / "quickstart").symlink_to(run)
    return folder


@pytest.fixture(scope="module")
def run(here: Path) -> Path:
    return here / "path" / "to" / "this" / "directory"


@pytest.fixture(scope="module")
def object_store(run: Path) -> Iterator[str]:
    """A server that speaks S3, with the run under s3://bucket/run; its address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    address = f"http://{host}:{port}"
    files = s3fs.S3FileSystem(key="key", secret="secret", endpoint_url=address, skip_instance_cache=True)
    files.mkdir("bucket")
    files.put(f"{run}/", "bucket/run", recursive=True)
    yield address
    server.stop()


@pytest.fixture(autouse=True)
def _trainer(here: Path, object_store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who has a directory, a network of one machine, and the environment of an object store."""
    monkeypatch.chdir(here)
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", here / "cache")
    monkeypatch.setattr(datasets.config, "TORCH_AVAILABLE", False)  # streaming would import it: seconds, for nothing
    datasets.disable_progress_bars()
    told = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_ENDPOINT_URL": object_store}
    for name, value in told.items():
        monkeypatch.setenv(name, value)


def table(run: Path, file: DataFile) -> pa.Table:
    return pa.concat_tables([pq.read_table(path) for path in sorted(run.glob(file.glob))])


def snippets(run: Path) -> dict[str, str]:
    sections = re.split(r"^### ", (run / "README.md").read_text(), flags=re.M)[1:]
    blocks = {s.splitlines()[0]: re.search(r"```python\n(.*?)```", s, re.S) for s in sections}
    return {name: found[1] for name, found in blocks.items() if found}


def test_every_config_has_rows_here_and_lines_in_the_card(run: Path):
    assert tuple(configs_of(run)) == CONFIGS
    assert tuple(snippets(run)) == CONFIGS


@pytest.mark.parametrize("config", CONFIGS)
def test_the_lines_of_a_config_load_what_its_files_hold(run: Path, config: str, capsys: pytest.CaptureFixture[str]):
    found: dict[str, datasets.DatasetDict] = {}
    exec(snippets(run)[config], found)
    files = configs_of(run)[config]
    for file in files:
        expected = table(run, file)
        whole = found["rows"][file.split]
        assert whole.data.table.schema.remove_metadata() == expected.schema.remove_metadata()
        for name in ("rows", "streamed", "remote"):
            assert set(found[name]) == {f.split for f in files}
            assert list(found[name][file.split]) == expected.to_pylist(), name
    assert capsys.readouterr().out


def test_the_first_lines_of_the_card_load_the_dialogues(run: Path, capsys: pytest.CaptureFixture[str]):
    found: dict[str, datasets.DatasetDict] = {}
    exec(re.search(r"```python\n(.*?)```", (run / "README.md").read_text(), re.S)[1], found)
    assert {split: rows.num_rows for split, rows in found["dialogues"].items()} == {
        f.split: f.rows for f in configs_of(run)["dialogues"]
    }
    assert "'role': 'assistant'" in capsys.readouterr().out


def test_the_lines_of_the_docs_load_what_they_name(run: Path):
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    found: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", page, re.S)[1], found)
    files = {name: configs_of(run)[name][0] for name in ("dialogues", "preference", "sft")}
    assert list(found["dialogues"]["train"]) == table(run, files["dialogues"]).to_pylist()
    assert list(found["pairs"]["train"]) == table(run, files["preference"]).to_pylist()
    expected = table(run, files["sft"]).to_pylist()
    assert list(found["rows"]) == list(found["remote"]["train"]) == expected
