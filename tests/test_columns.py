"""Every label the methods name has its place in the dialogue table."""

import re
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from schemas.table import SCHEMA

ROOT = Path(__file__).parents[1]
METHODS = ROOT.parent / "shared" / "methods.md"
OF_THE_RUN = ("metrics.json", "manifest.json")


def mapped() -> Iterator[tuple[str, str, str, str]]:
    """system, label, path, now"""
    for line in (ROOT / "docs" / "columns.md").read_text().splitlines():
        cells = [c.strip() for c in line.strip("|").split("|")]
        if len(cells) == 4 and cells[2].startswith("`"):
            yield cells[0], cells[1], cells[2].strip("`"), cells[3]


def type_at(path: str) -> pa.DataType:
    """The Arrow type a path leads to. KeyError where it leads nowhere, TypeError where it takes a thing for another."""
    kind: pa.DataType = pa.struct(list(SCHEMA))
    for step in re.findall(r"[^.{]+|\{[^}]*\}", path):
        if step.startswith("{"):
            if kind != pa.string():
                raise TypeError(f"{path}: {kind} is no JSON string")
            continue
        name = step.removesuffix("[]")
        if not pa.types.is_struct(kind) or kind.get_field_index(name) < 0:
            raise KeyError(f"{path}: no {name}")
        kind = kind.field(name).type
        if step.endswith("[]"):
            if not pa.types.is_list(kind):
                raise TypeError(f"{path}: {name} is no list")
            kind = kind.value_type
    return kind


@pytest.mark.parametrize(("system", "label", "path", "now"), list(mapped()), ids=lambda v: v.replace(" ", "_"))
def test_a_label_has_its_place(system: str, label: str, path: str, now: str):
    assert now in ("yes", "no")
    assert path in OF_THE_RUN or type_at(path) is not None


@pytest.mark.parametrize("wrong", ["turn[].text", "turns.text", "turns[].words", "turns[].acts{x}", "ending.reason.x"])
def test_a_path_that_leads_nowhere_is_found(wrong: str):
    with pytest.raises((KeyError, TypeError)):
        type_at(wrong)


def test_every_system_is_mapped_and_no_label_twice():
    rows = [(system, label) for system, label, _, _ in mapped()]
    assert len(rows) == len(set(rows)) > 100
    assert len({system for system, _ in rows}) == 25


@pytest.mark.skipif(not METHODS.is_file(), reason="the methods are not beside the repository")
def test_the_systems_are_those_of_the_methods():
    table = METHODS.read_text().split("## 28.")[1].split("## 29.")[0]
    named = {c[1].strip() for line in table.splitlines() if len(c := line.strip("|").split("|")) >= 4} - {
        "system",
        "---",
    }
    known = {system.replace("Lost in conversation", "Lost in conv.") for system, *_ in mapped()}
    assert named == known
