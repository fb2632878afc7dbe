from pathlib import Path

import orjson
import pytest
from dialogue_samples import PLAN_SECRET, conversation, many, tutoring

from outputs.columns import PRIVATE
from outputs.export import export
from schemas.errors import InputError
from schemas.record import messages


def exported(path: Path, **options: object) -> list[dict]:
    export([tutoring(), conversation()], path=path, **{"format": "jsonl", **options})
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_one_dialogue_is_one_line(tmp_path: Path):
    assert export(iter(many(30)), "jsonl", tmp_path / "out" / "x.jsonl") == 30
    lines = (tmp_path / "out" / "x.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line)["id"] for line in lines] == [r.dialogue.id for r in many(30)]


def test_a_line_holds_messages_public_labels_and_rewards(tmp_path: Path):
    row, talk = exported(tmp_path / "x.jsonl")
    assert row["messages"] == messages(tutoring().dialogue)
    assert [(r["name"], r["value"], r["reason"]) for r in row["rewards"]] == [
        ("success", 1.0, None),
        ("saving", None, "no_sibling"),
    ]
    assert talk["labels"] == {"question": "no", "length": "short"}
    assert [t["message"] for t in row["turns"]] == [0, 1, 2, None, None, 3]
    assert row["turns"][5]["labels"] == {"topic": "prices", "bridge": False}


def test_private_text_stays_unless_it_was_said(tmp_path: Path):
    exported(tmp_path / "x.jsonl")
    text = (tmp_path / "x.jsonl").read_text()
    for secret in (PLAN_SECRET, "private musing", "3 * 41 = 123", "terse", "has a dog", "the price of one pencil"):
        assert secret not in text
    row = orjson.loads(text.splitlines()[0])
    assert not PRIVATE - {"turns"} & set(row)
    assert not {"thought", "state", "belief", "intent_requested", "facts_disclosed"} & set(row["turns"][0])
    assert all("parts" not in r for r in row["rewards"])


def test_private_columns_leave_by_name_and_only_those(tmp_path: Path):
    row, _ = exported(tmp_path / "x.jsonl", private=["facts", "plan"])
    assert set(row["private"]) == {"facts", "plan"}
    assert row["private"]["facts"][0]["value"] == "41"
    whole, _ = exported(tmp_path / "y.jsonl", private=True)
    assert set(whole["private"]) == PRIVATE


def test_a_wrong_name_gets_the_nearest_one(tmp_path: Path):
    with pytest.raises(InputError, match="no private column 'fact'; did you mean 'facts'"):
        exported(tmp_path / "x.jsonl", private=["fact"])
    with pytest.raises(InputError, match="no format 'json'; did you mean 'jsonl'"):
        exported(tmp_path / "x.jsonl", format="json")
    assert list(tmp_path.iterdir()) == []
