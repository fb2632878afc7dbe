from pathlib import Path

import pytest
from manifest_samples import full_manifest
from pydantic import ValidationError

from outputs.manifest import Manifest, Measure, read_manifest, write_manifest
from schemas.errors import DataError


def test_a_manifest_comes_back_as_it_was_written(tmp_path: Path):
    write_manifest(tmp_path / "manifest.json", full_manifest())
    assert read_manifest(tmp_path / "manifest.json") == full_manifest()


def test_equal_manifests_are_equal_bytes(tmp_path: Path):
    for name in "ab":
        write_manifest(tmp_path / name, full_manifest())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_missing_value_stays_missing(tmp_path: Path):
    missing = Measure(family="tutoring", name="auc", value=None, note="no_reference")
    write_manifest(tmp_path / "m.json", Manifest(recipe="r", status="interrupted", target=2, realism=(missing,)))
    assert read_manifest(tmp_path / "m.json").realism == (missing,)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{}", "recipe: Field required"),
        ("{", "the file: Invalid JSON"),
        ('{"recipe": "r", "status": "done", "target": 1}', "status"),
        ('{"recipe": "r", "status": "short", "target": 1, "extra": 1}', "extra"),
    ],
)
def test_a_damaged_manifest_says_where_and_what_to_do(tmp_path: Path, content: str, words: str):
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=rf"manifest\.json: {words}.*resume the run"):
        read_manifest(tmp_path / "manifest.json")


def test_no_manifest_is_a_data_error(tmp_path: Path):
    with pytest.raises(DataError, match="no manifest"):
        read_manifest(tmp_path / "manifest.json")


def test_a_manifest_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        full_manifest().target = 3  # pyright: ignore


def test_totals_are_the_steps_over_all_families():
    assert [s.name for s in full_manifest().totals] == ["made", "valid", "selected", "published"]
