import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import mlcroissant
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from every_config import run_with_every_config

from outputs.card import configs_of
from outputs.configs import config
from outputs.licences import Source

pytestmark = [
    pytest.mark.filterwarnings("ignore:ConjunctiveGraph is deprecated:DeprecationWarning"),  # of rdflib
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # of pandas; both in the validator
]
SOURCES = (
    Source(name="a-model", kind="model", licence="Apache-2.0", use="speaks"),
    Source(name="problems.jsonl", kind="problems", licence="CC BY-SA 4.0", version="sha256:12", origin="a shelf"),
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run_with_every_config(tmp_path_factory.mktemp("croissant") / "run", sources=SOURCES)


@pytest.fixture(scope="module")
def written(run: Path) -> Mapping[str, Any]:
    return json.loads((run / "croissant.json").read_text())


@pytest.fixture(scope="module")
def read(run: Path) -> mlcroissant.Dataset:
    """By MLCommons' reader, which refuses what is not valid."""
    return mlcroissant.Dataset(jsonld=run / "croissant.json")


def test_the_validator_has_nothing_to_say(read: mlcroissant.Dataset):
    assert (read.metadata.ctx.issues.errors, read.metadata.ctx.issues.warnings) == (set(), set())


def test_every_config_is_a_record_set_with_every_column_and_its_meaning(run: Path, written: Mapping[str, Any]):
    sets = {s["@id"]: s for s in written["recordSet"]}
    assert list(sets) == list(configs_of(run))
    for name, found in sets.items():
        columns = {c.name: c.meaning for c in config(name).columns if "." not in c.name}
        assert {f["@id"].removeprefix(f"{name}/"): f["description"] for f in found["field"]} == columns
        assert config(name).row in found["description"]


@pytest.mark.parametrize("name", ["dialogues", "turns", "preference", "stepwise", "branches"])
def test_the_reader_finds_the_rows_that_the_files_hold(run: Path, read: mlcroissant.Dataset, name: str):
    paths = sorted(path for file in configs_of(run)[name] for path in run.glob(file.glob))
    table = pa.concat_tables([pq.read_table(path) for path in paths])
    expected = [{f.name: spread(row[f.name], f.type) for f in table.schema} for row in table.to_pylist()]
    assert [plain(record) for record in read.records(name)] == expected


def test_the_lines_of_the_docs_read_a_row(run: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    page = (Path(__file__).parents[2] / "docs" / "datasets.md").read_text()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "quickstart").symlink_to(run)
    monkeypatch.chdir(tmp_path)
    found: dict[str, Any] = {}
    exec(page.split("## Croissant")[1].split("```python\n")[1].split("```")[0], found)
    ids = pq.read_table(run / "data", columns=["dialogue_id"])["dialogue_id"].to_pylist()
    assert found["first"]["dialogues/dialogue_id"].decode() in ids


def spread(value: Any, kind: pa.DataType) -> Any:
    """A struct that is null as one of nulls: the format cannot tell them apart."""
    if pa.types.is_struct(kind) and value is None:
        return {field.name: None for field in kind}
    return value


def plain(value: Any) -> Any:
    """Without the path in front of names, and text as text."""
    if isinstance(value, dict):
        return {name.rsplit("/", 1)[-1]: plain(v) for name, v in value.items()}
    if isinstance(value, list):
        return [plain(v) for v in value]
    return value.decode() if isinstance(value, bytes) else value


def test_every_file_of_every_config_is_listed_with_its_size_and_hash(run: Path, written: Mapping[str, Any]):
    listed = {f["contentUrl"]: f for f in written["distribution"] if f["@type"] == "cr:FileObject"}
    folders = ("data", "views", "rejected", "branches")
    assert set(listed) == {p.relative_to(run).as_posix() for f in folders for p in (run / f).rglob("*.parquet")}
    for name, found in listed.items():
        content = (run / name).read_bytes()
        assert found["sha256"] == hashlib.sha256(content).hexdigest()
        assert found["contentSize"] == f"{len(content)} B"


def test_licence_and_sources_are_those_of_the_card(written: Mapping[str, Any]):
    assert written["license"] == "https://creativecommons.org/licenses/by-sa/4.0/"
    model, problems = written["isBasedOn"]
    assert (model["name"], model["license"]) == ("a-model", "Apache-2.0")
    assert (problems["license"], problems["version"], problems["identifier"]) == (
        "CC BY-SA 4.0",
        "sha256:12",
        "a shelf",
    )
    assert written["citeAs"].startswith("@misc{sample, title = {")
    assert any("Simulated people are not people" in limit for limit in written["rai:dataLimitations"])


def test_a_licence_without_an_address_is_named(tmp_path: Path):
    run = run_with_every_config(tmp_path / "run", sources=(Source(name="m", kind="model", licence="not told"),))
    assert json.loads((run / "croissant.json").read_text())["license"] == "unknown"
