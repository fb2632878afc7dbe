"""What is told on stderr while a verb works by itself."""

import io

import numpy as np
import pytest
from rich.console import Console

from pipelines.progress import Progress


class Clock:
    """Every look at it takes three seconds."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 3.0
        return self.now


@pytest.fixture
def lines() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def progress(lines: io.StringIO) -> Progress:
    return Progress("judging", Console(file=lines, force_terminal=False), Clock())


def told(lines: io.StringIO) -> list[str]:
    return lines.getvalue().splitlines()


def test_what_is_begun_is_told_at_once(progress: Progress, lines: io.StringIO):
    with progress:
        progress.begins("reading the reference")
        assert told(lines) == ["reading the reference"]


def test_a_long_count_is_told_every_so_often_and_nothing_of_it_changes(progress: Progress, lines: io.StringIO):
    with progress:
        assert list(progress.counting(range(9), "judged", 1234)) == list(range(9))
    assert told(lines) == ["judged: 4 of 1,234", "judged: 8 of 1,234"]


def test_a_short_count_is_not_told(progress: Progress, lines: io.StringIO):
    assert list(progress.counting("ab", "judged")) == ["a", "b"]
    assert told(lines) == []


def test_texts_are_counted_as_they_are_embedded(progress: Progress, lines: io.StringIO):
    embed = progress.embedding(lambda texts: np.ones((len(texts), 2)))
    for _ in range(8):
        assert embed(["a", "b"]).shape == (2, 2)
    assert told(lines) == ["embedding: 8 texts that were not known", "embedding: 16 texts that were not known"]


def test_a_line_changes_on_a_terminal(lines: io.StringIO):
    with Progress("judging", Console(file=lines, force_terminal=True, width=60), Clock()) as progress:
        progress.begins("scoring [all]")
    assert "scoring [all]" in lines.getvalue()
