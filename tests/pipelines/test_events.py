"""The events of a run, as another program reads them."""

from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from pipelines.events import PROGRESS_EVERY_S, Events
from pipelines.pool import Counts
from schemas.errors import OvertureError, StorageError, Unreachable

ENDPOINT = "http://127.0.0.1:8000/v1"


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def counts(**told: Any) -> Counts:
    endpoint = {"sent": 3, "answered": 2, "in_flight": 1, "limit": 8, "waiting": 0, "aside": None, **told}
    usage = {"user": {"calls": 2, "prompt_tokens": 50, "cached_tokens": 20, "completion_tokens": 9, "replayed": 4}}
    return Counts(dialogues=2, valid=1, turns=9, live=1, usage=usage, endpoints={ENDPOINT: endpoint})


def test_each_event_is_a_line_with_its_time_and_lines_are_only_added(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    Events(path).tell("run_started", recipe="small")
    Events(path).tell("run_ended", status="complete")
    first, second = read(path)
    assert (first["event"], first["recipe"], second["status"]) == ("run_started", "small", "complete")
    assert datetime.fromisoformat(first["time"]) <= datetime.fromisoformat(second["time"])
    assert datetime.fromisoformat(first["time"]).tzinfo is not None


def test_a_line_that_a_crash_has_cut_spoils_no_other(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    path.write_bytes(b'{"event":"whole"}\n{"event":"cu')
    Events(path).tell("run_started")
    lines = path.read_bytes().splitlines()
    assert lines[:2] == [b'{"event":"whole"}', b'{"event":"cu']
    assert orjson.loads(lines[2])["event"] == "run_started"


def test_progress_is_told_every_ten_seconds_however_often_it_is_looked_at(tmp_path: Path):
    clock = Clock()
    events = Events(tmp_path / "events.jsonl", clock)
    events.round(0, planned=8, accepted=0)
    for _ in range(30):
        clock.now += 1
        events.counts(counts())
    told = read(tmp_path / "events.jsonl")
    assert [e["event"] for e in told] == ["round_started", *["progress"] * int(30 / PROGRESS_EVERY_S)]
    progress = told[-1]
    assert progress["round"] == 1 and progress["dialogues"] == 2 and progress["turns"] == 9
    assert (progress["prompt_tokens"], progress["cached_tokens"], progress["completion_tokens"]) == (50, 20, 9)
    assert (progress["calls"], progress["replayed"]) == (2, 4)
    assert progress["endpoints"][ENDPOINT] == {
        "in_flight": 1,
        "limit": 8,
        "waiting": 0,
        "sent": 3,
        "answered": 2,
        "aside": False,
    }


def test_an_endpoint_is_told_of_at_once_when_it_is_set_aside_and_back(tmp_path: Path):
    events = Events(tmp_path / "events.jsonl", Clock())
    events.round(1, planned=8, accepted=3)
    for told in ({}, {"aside": "no connection", "set_aside": 1}, {"set_aside": 1}):
        events.counts(counts(**told))
    events.round_ended(counts())
    _, aside, back, ended = read(tmp_path / "events.jsonl")
    assert (aside["event"], aside["endpoint"], aside["why"]) == ("endpoint_set_aside", ENDPOINT, "no connection")
    assert (back["event"], back["endpoint"]) == ("endpoint_back", ENDPOINT)
    assert (ended["event"], ended["round"], ended["valid"]) == ("round_ended", 2, 1)


def test_no_text_of_an_answer_gets_into_the_events(tmp_path: Path):
    events = Events(tmp_path / "events.jsonl", Clock())
    events.round(0, planned=8, accepted=0)
    broken = 'a broken answer to /chat/completions, beginning b\'{"content": "Dear diary\''
    events.counts(counts(aside=broken, set_aside=1))
    events.run_failed(Unreachable(broken))
    events.run_failed(ValueError("Dear diary"))
    events.run_failed(OvertureError("worker ended: Dear diary"))
    assert b"diary" not in (tmp_path / "events.jsonl").read_bytes()
    _, aside, *failed = read(tmp_path / "events.jsonl")
    assert aside["why"] == "a broken answer to /chat/completions"
    assert [e["error"] for e in failed] == ["Unreachable", "ValueError", "OvertureError"]
    assert failed[0]["why"] and not failed[1]["why"]


def test_an_interruption_is_no_failure(tmp_path: Path):
    events = Events(tmp_path / "events.jsonl")
    events.run_failed(KeyboardInterrupt())
    assert [(e["event"], e["status"]) for e in read(tmp_path / "events.jsonl")] == [("run_ended", "interrupted")]


def test_a_disk_that_takes_no_events_is_a_storage_error(tmp_path: Path):
    with pytest.raises(StorageError, match=r"events\.jsonl"):
        Events(tmp_path / "gone" / "events.jsonl").tell("run_started")


def test_a_worker_that_was_started_again_is_told_once(tmp_path: Path):
    path = tmp_path / "events.jsonl"
    events = Events(path)
    events.round(0, 4, 0)
    for restarts in (0, 1, 1, 2):
        events.counts(Counts(restarts=restarts))
    told = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert [e["restarts"] for e in told if e["event"] == "worker_restarted"] == [1, 2]
