"""What the display, the events and the metrics share."""

from typing import Any

import pytest
from run_driver import Nobody

from pipelines.pool import Counts
from pipelines.watching import Asides, Speed, Together, cached_share, shown


def told(**changes: Any) -> dict[str, dict[str, Any]]:
    return {"http://a/v1": {"aside": None, "set_aside": 0, **changes}}


def test_an_endpoint_is_told_of_when_it_is_set_aside_and_when_it_comes_back():
    asides = Asides()
    assert asides.changes(told()) == []
    assert asides.changes(told(aside="no connection", set_aside=1)) == [("http://a/v1", "no connection")]
    assert asides.changes(told(aside="no connection", set_aside=1)) == []
    assert asides.changes(told(set_aside=1)) == [("http://a/v1", None)]
    assert asides.changes(told(set_aside=1)) == []


def test_an_endpoint_that_was_back_before_anyone_looked_is_told_of_all_the_same():
    asides = Asides()
    assert asides.changes(told(set_aside=2)) == [("http://a/v1", "for a moment"), ("http://a/v1", None)]
    assert asides.changes(told(aside="stalled", set_aside=3)) == [("http://a/v1", "stalled")]


def test_an_endpoint_that_leaves_while_aside_is_not_said_to_be_back():
    asides = Asides()
    asides.changes(told(aside="gone", set_aside=1))
    assert asides.changes({}) == []


def test_a_speed_is_that_of_the_last_seconds():
    speed = Speed()
    assert speed.at(0.0, 0) == 0.0
    assert speed.at(1.0, 100) == 100.0
    for second in range(2, 30):
        speed.at(float(second), 100)  # it stands still
    assert speed.at(30.0, 100) == 0.0
    assert speed.at(31.0, 120) == pytest.approx(2.0)


def test_nothing_prompted_has_no_cached_share():
    assert cached_share({}) is None
    assert cached_share({"prompt_tokens": 8, "cached_tokens": 6}) == 0.75


def test_an_address_is_shown_without_what_all_have_in_common():
    assert shown("http://10.0.0.7:8000/v1") == "10.0.0.7:8000"
    assert shown("https://models.example/v1") == "https://models.example"


def test_all_who_look_on_together_are_told_the_same():
    class Kept(Nobody):
        def __init__(self) -> None:
            self.seen: list[object] = []

        def fetching(self, name: str, done: int, total: int) -> None:
            self.seen.append((name, done, total))

        def starting(self, name: str, seconds: float, line: str) -> None:
            self.seen.append((name, seconds, line))

        def round(self, number: int, planned: int, accepted: int) -> None:
            self.seen.append((number, planned, accepted))

        def counts(self, counts: Counts) -> None:
            self.seen.append(counts)

    first, second = Kept(), Kept()
    both, counts = Together(first, second), Counts(dialogues=3)
    both.fetching("weights", 1, 2)
    both.starting("tutor", 3.0, "loading")
    both.round(0, 8, 0)
    both.counts(counts)
    assert first.seen == second.seen == [("weights", 1, 2), ("tutor", 3.0, "loading"), (0, 8, 0), counts]
