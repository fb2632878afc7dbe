import re
from pathlib import Path

import datasets
import pytest
import yaml
from corpus_samples import to_table
from dialogue_samples import branch, conversation, many, tutoring
from manifest_samples import full_manifest

from outputs.card import DataFile, configs_of, render_card, size_category, write_card
from outputs.columns import MEANING, PRIVATE, columns
from outputs.configs import config
from outputs.licences import NOT_TOLD, Source
from outputs.manifest import Manifest, Shortcut, ViewSummary
from outputs.parquet import write_table
from outputs.publish import Decision, publish, split_of
from outputs.views.registry import PUBLISHED
from schemas.judgement import Interval, Selection
from schemas.record import Record
from schemas.table import SCHEMA


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(datasets.config, "TORCH_AVAILABLE", False)  # streaming would import it: seconds, for nothing
    datasets.disable_progress_bars()


def published(run: Path, records: list[Record], dropped: int = 0) -> Path:
    """A run directory of `records`, the first `dropped` of them rejected."""
    write_table(run / "journal" / "shard.parquet", to_table(records))
    decisions = {
        r.dialogue.id: Decision(selection=Selection(keep=n >= dropped, reason="ok" if n >= dropped else "repeated"))
        for n, r in enumerate(records)
    }
    done = publish([run / "journal" / "shard.parquet"], decisions, run, len(records), "sample")
    manifest = Manifest(recipe="sample", status="complete", target=len(records), published=done.splits)
    write_card(run, manifest)
    return run


@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_run_of_any_size_loads_with_all_its_rows(tmp_path: Path, count: int):
    run = published(tmp_path / "run", many(count))
    loaded = datasets.load_dataset(str(run), cache_dir=str(tmp_path / "cache"))
    ids = [row["dialogue_id"] for split in loaded.values() for row in split]
    assert sorted(ids) == sorted(r.dialogue.id for r in many(count))
    assert set(next(iter(loaded.values())).column_names) == set(SCHEMA.names)


@pytest.mark.parametrize("count", [1, 2, 12])
def test_a_run_of_any_size_streams(tmp_path: Path, count: int):
    run = published(tmp_path / "run", many(count))
    streamed = datasets.load_dataset(str(run), streaming=True, cache_dir=str(tmp_path / "cache"))
    rows = [row for split in streamed.values() for row in split]
    assert len(rows) == count
    assert {m["role"] for row in rows for m in row["messages"]} == {"assistant", "user"}


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_run_with_rows_in_one_split_alone_loads(tmp_path: Path, split: str):
    base_case = next(f"case-{n}" for n in range(1000) if split_of(f"case-{n}") == split)
    run = published(tmp_path / "run", [tutoring(1, base_case=base_case)])
    loaded = datasets.load_dataset(str(run), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == [split]
    assert loaded[split][0]["base_case_id"] == base_case


def test_rejected_rows_and_branches_load_by_name(tmp_path: Path):
    records = many(4)
    run = published(tmp_path / "run", [*records, branch(records[3], 0)], dropped=1)
    rejected = datasets.load_dataset(str(run), "rejected", cache_dir=str(tmp_path / "cache"))
    assert [row["selection"]["reason"] for row in rejected["rejected"]] == ["repeated"]
    branches = datasets.load_dataset(str(run), "branches", cache_dir=str(tmp_path / "cache"))
    assert [row["origin"]["candidate"] for row in branches["branches"]] == [0]


def test_a_run_without_rows_says_so_and_lists_no_config(tmp_path: Path):
    run = published(tmp_path / "run", [])
    text = (run / "README.md").read_text()
    assert configs_of(run) == {}
    assert "configs" not in yaml.safe_load(text.split("---\n")[1])
    assert "No dialogue was published" in text


def test_the_header_is_what_a_hub_expects(tmp_path: Path):
    run = published(tmp_path / "run", many(12))
    header = yaml.safe_load((run / "README.md").read_text().split("---\n")[1])
    assert header["license"] == "apache-2.0"
    assert header["size_categories"] == ["n<1K"]
    assert header["task_categories"] == ["text-generation"]
    [config] = header["configs"]
    assert (config["config_name"], config["default"]) == ("dialogues", True)
    assert {f["split"] for f in config["data_files"]} == {p.name.split("-")[0] for p in (run / "data").iterdir()}


def test_every_column_of_the_schema_is_documented():
    documented = columns()
    assert [c.name for c in documented if "." not in c.name] == SCHEMA.names
    assert {c.name for c in documented} == set(MEANING), "a meaning without a column"
    assert all(c.meaning.endswith((".", "`).")) for c in documented)
    assert set(SCHEMA.names) >= PRIVATE


ALL = {name: [DataFile("train", f"{name}/*", 3)] for name in ("dialogues", *PUBLISHED, "rejected", "branches")}


def section(text: str, name: str) -> str:
    return text.split(f"\n### {name}\n")[1].split("\n### ")[0]


@pytest.mark.parametrize("name", ALL)
def test_the_card_says_of_every_config_what_a_row_is_and_what_to_mind(name: str):
    text = section(render_card(full_manifest(), ALL), name)
    assert config(name).limits
    assert f"A row: {config(name).row} 3 rows (train 3). {config(name).limits}\n" in text
    assert "s3://bucket/run/" in text


@pytest.mark.parametrize("name", ALL)
def test_the_card_shows_every_column_of_a_config_and_marks_the_private_ones(name: str):
    card = render_card(full_manifest(), ALL)
    text = section(card, config(name).like or name)
    if config(name).like:
        assert f"Columns: those of [{config(name).like}]" in section(card, name)
    for column in config(name).columns:
        ends = rf"\| {'yes' if column.private else ''} ?\|$"
        assert column.meaning and column.source
        assert re.search(rf"^\| `{re.escape(column.name)}` \|.*{ends}", text, re.M), column.name


def test_every_config_is_documented_in_whole():
    for name in ALL:
        assert {c.name for c in config(name).columns if "." not in c.name} == set(config(name).schema.names)
    assert {n for n in ALL for c in config(n).columns if c.private} == {"dialogues", "rejected", "branches"}


SHORTCUTS = (
    Shortcut(feature="length", value=0.55, low=0.5, high=0.6, before=0.71, n=40, units=20),
    Shortcut(feature="first_word", value=None, n=40, units=20, reason="one_word"),
)
PAIRS = ViewSummary(
    name="preference",
    rows={"train": 40},
    dropped={"told_by_length": 12},
    less_asking=Interval(0.35, 0.3, 0.41, 20),
    shortcuts=SHORTCUTS,
)


def test_the_card_says_how_well_one_feature_tells_who_wins_and_how_often_who_asks_less_does():
    text = section(render_card(full_manifest(views=(PAIRS,)), ALL), "preference")
    assert "Left out so that nothing simple tells who wins: 12 told by length." in text
    assert "fewer question marks wins 35% of the pairs (30% to 41%, 20 base cases)" in text
    assert "| length | 0.71 | 0.55 (0.5 to 0.6) | 40 | 20 |" in text
    assert "| first word | missing | missing one word | 40 | 20 |" in text


def test_the_card_says_why_a_view_is_no_config():
    none = ViewSummary(name="preference", reason="too_few_base_cases")
    text = render_card(full_manifest(views=(none, ViewSummary(name="silence", reason="no_rows"))), ALL)
    assert "Without rows, and so no config: preference (too few base cases), silence (no rows)." in text


@pytest.mark.parametrize(
    ("licence", "header", "said"),
    [
        ("CC BY-SA 4.0", {"license": "cc-by-sa-4.0"}, "**cc-by-sa-4.0**, as p asks for it."),
        (NOT_TOLD, {"license": "unknown"}, "nobody told the licence of p."),
        ("gemma", {"license": "other", "license_name": "terms-of-its-sources"}, "p has terms of its own"),
    ],
)
def test_the_card_is_as_strict_as_what_went_in(licence: str, header: dict[str, str], said: str):
    text = render_card(full_manifest(sources=(Source(name="p", kind="problems", licence=licence),)), {})
    assert header.items() <= yaml.safe_load(text.split("---\n")[1]).items()
    assert said in text


def test_the_card_says_where_things_came_from_and_what_was_lost():
    text = render_card(full_manifest(), {}, example=conversation())
    assert "| Small-1.5B | model | Apache-2.0 | yes | cc324af0 | both sides |" in text
    assert "repeated message 4" in text
    assert "0.81 (0.68 to 0.92) | 0.52 (0.41 to 0.63)" in text
    assert "| tutoring | ngram auc | missing | missing | 0 | no reference |" in text
    assert "overture run recipes/quickstart.yaml" in text
    assert "This run is short" in text
    assert "user: I walk my dog each day." in text


def test_the_card_says_how_many_could_be_chosen_and_what_was_lacking():
    card = render_card(full_manifest(), {})
    assert "| conversation | 12 | 8 | 11 | act change = refusal (1 turns), pushback = refuses (40 turns) |" in card
    assert "| tutoring | 6 | 9 | 9 | nothing |" in card
    assert "could be chosen" not in render_card(full_manifest(feasible=()), {})


def test_text_cannot_break_out_of_its_table_or_fence():
    manifest = full_manifest(limits=("a | b <script>\n# new",), status_reason="x\n```")
    text = render_card(manifest, {}, example=conversation(text="```\n<b>"))
    assert r"- a \| b &lt;script&gt; \# new" in text
    assert text.count("```") % 2 == 0
    assert "'''" in text


def test_size_categories_are_those_of_the_hub():
    assert [size_category(n) for n in (0, 999, 1_000, 20_000, 200_000, 2_000_000)] == [
        "n<1K",
        "n<1K",
        "1K<n<10K",
        "10K<n<100K",
        "100K<n<1M",
        "1M<n<10M",
    ]


def test_a_card_tells_what_the_run_took():
    card = render_card(full_manifest(), {})
    assert "| assistant | 210 | 48,210 | 62% | 5,311 | 0.31 |" in card
    assert "| student | 1 | 9 | 0% | 0 |  |" in card
    assert "| all | 211 | 48,219 | 62% | 5,311 |  |" in card  # a role without a price: no sum
    assert "| success | 12 | 8 | 2,000 | 75% | 160 | 12 |" in card
    assert (
        "4,461 tokens for each published dialogue. Servers' faults: 2 rate limit, 5 timeout; asked again 7 times."
        in card
    )


def test_a_card_tells_the_cost_where_all_of_it_is_known():
    spent = full_manifest().spent
    priced = spent.model_copy(
        update={"tokens": spent.tokens.model_copy(update={"cost": 1.5}), "cost_an_accepted": 0.125}
    )
    card = render_card(full_manifest(spent=priced), {})
    assert "| 5,311 | 1.5 |" in card and "4,461 tokens and 0.125 of cost for each published dialogue" in card


def test_a_card_of_dialogues_nobody_asked_a_server_for_has_no_such_part():
    card = render_card(Manifest(recipe="r", status="complete", target=2), {})
    assert "What it took" not in card
