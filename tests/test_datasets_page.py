"""docs/datasets.md names every config, column and export as the code has them."""

import re
from pathlib import Path

import pytest

from outputs.configs import config
from outputs.exports.export import FORMATS, ViewFormat
from outputs.views.registry import VIEWS

PAGE = (Path(__file__).parents[1] / "docs" / "datasets.md").read_text()
CONFIGS = ("dialogues", *VIEWS, "rejected", "branches")


@pytest.mark.parametrize("name", CONFIGS)
def test_the_page_says_what_a_row_of_a_config_is_and_what_to_mind(name: str):
    assert re.search(
        rf"^\| `{name}`.* \| {re.escape(config(name).row)} \| {re.escape(config(name).limits)} \|$", PAGE, re.M
    )


@pytest.mark.parametrize("name", VIEWS)
def test_the_page_has_every_column_of_a_view_and_no_other(name: str):
    shared = re.findall(r"^\| `.*$", PAGE.split("(`stepwise` has no `turn`")[1].split("\n### ")[0], re.M)
    own = PAGE.split(f"\n### {name}\n")[1].split("\n### ")[0].split("\n## ")[0]
    if like := config(name).like:
        assert f"The columns of `{like}`." in own
        return
    told = [f"| `{c.name}` | {c.type} | {c.meaning} | {c.source} |" for c in config(name).columns]
    assert not set(told) - {*shared, *own.splitlines()}
    assert not {line for line in own.splitlines() if line.startswith("| `")} - set(told)


@pytest.mark.parametrize("name", FORMATS)
def test_the_page_says_what_an_export_is_made_of_and_where_it_lies(name: str):
    made = FORMATS[name]
    source = f"`{made.view}`" if isinstance(made, ViewFormat) else "dialogues"
    file = f"`{made.stem.replace('{split}', '<split>')}.{made.kind}`"
    assert re.search(rf"^\| `{name}` \| {source} \| {re.escape(file)} \|", PAGE, re.M)
