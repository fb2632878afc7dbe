"""The learner's turns as prompt and completion: whose, of which dialogues."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from talks import talk

from outputs.export import export
from outputs.sft import left_out
from schemas.dialogue import Turn
from schemas.errors import InputError
from schemas.judgement import Selection
from schemas.record import Record


def record(success: bool = True, keep: bool = True, **labels: Any) -> Record:
    dialogue = talk(
        ("teacher", "How much?"),
        Turn(role="student", text="How many are there?", labels=labels),
        Turn(role="teacher", kind="silence"),
        ("teacher", "Three."),
        ("student", "12."),
        sides=("student", "teacher"),
    )
    dialogue = dialogue.model_copy(update={"outcome": {"success": success}})
    return Record(dialogue=dialogue, split="train", selection=Selection(keep=keep))


def rows(path: Path, format_: str, *records: Record) -> list[dict[str, Any]]:
    count = export(records, format_, path)
    found = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert count == len(found)
    return found


def test_each_turn_of_the_learner_is_a_row_with_all_that_was_said_before_it(tmp_path: Path):
    first, second = rows(tmp_path / "x.jsonl", "sft", record())
    assert first["prompt"] == [{"role": "user", "content": "How much?"}] and first["turn"] == 1
    assert [m["content"] for m in second["prompt"]] == ["How much?", "How many are there?", "Three."]
    assert second["completion"] == [{"role": "assistant", "content": "12."}] and second["split"] == "train"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"success": False}, "no_success"),
        ({"keep": False}, "not_published"),
        ({"question_substituted": True}, "off_policy"),
        ({}, None),
    ],
)
def test_a_dialogue_that_gives_no_rows_has_its_reason(tmp_path: Path, given: dict[str, bool], reason: str | None):
    assert left_out(record(**given), primed=False) == reason
    assert bool(rows(tmp_path / "x.jsonl", "sft", record(**given))) == (reason is None)


def test_primed_dialogues_have_a_view_of_their_own_that_marks_the_question(tmp_path: Path):
    found = rows(tmp_path / "x.jsonl", "sft_primed", record(question_substituted=True), record(success=False))
    assert [row["question_substituted"] for row in found] == [True, False]


def test_private_columns_are_refused(tmp_path: Path):
    with pytest.raises(InputError, match="sft holds no private columns"):
        export([record()], "sft", tmp_path / "x.jsonl", private=True)


def test_a_clairvoyant_turn_is_heard_and_not_learnt(tmp_path: Path):
    (row,) = rows(tmp_path / "x.jsonl", "sft", record(clairvoyant=True))
    assert row["turn"] == 4 and len(row["prompt"]) == 3
