"""The cache of vectors: asked once, exact, shared, bounded, and never in the way."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from inference.embedding_cache import CachedEmbed, cache_file

TEXTS = [f"text number {n}" for n in range(300)]


class Counting:
    """An embedder that says how often it was asked for a text."""

    def __init__(self, dim: int = 8):
        self.dim = dim
        self.asked: list[str] = []

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        rows = [np.random.default_rng(list(text.encode())).normal(size=self.dim) for text in texts]
        return np.asarray(rows, dtype=np.float32).reshape(len(texts), self.dim)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def silent(line: str) -> None:
    pytest.fail(line)


def test_a_text_is_asked_for_once_and_its_vector_stays_the_same():
    first, second = Counting(), Counting()
    expected = Counting()(["a", "b", "a"])
    assert np.array_equal(CachedEmbed(first, "m", silent)(["a", "b", "a"]), expected)
    again = CachedEmbed(second, "m", silent)(["b", "c", "a"])
    assert (first.asked, second.asked) == (["a", "b"], ["c"])
    assert np.array_equal(again[[2, 0]], expected[:2]) and again.dtype == np.float32
    again[:] = 0  # the caller's own


def test_another_model_has_vectors_of_its_own():
    CachedEmbed(Counting(), "m", silent)(["a"])
    other = Counting(dim=4)
    assert CachedEmbed(other, "n", silent)(["a"]).shape == (1, 4)
    assert other.asked == ["a"]


def test_no_text_is_no_question_and_the_embedder_says_what_that_gives():
    assert CachedEmbed(Counting(), "m", silent)([]).shape == (0, 8)
    assert not cache_file().exists()


def test_a_model_that_changed_its_size_under_its_name_is_asked_again():
    CachedEmbed(Counting(dim=8), "m", silent)(["a"])
    CachedEmbed(Counting(dim=4), "m", silent)(["b"])
    now = Counting(dim=4)
    assert CachedEmbed(now, "m", silent)(["a", "b"]).shape == (2, 4)
    assert now.asked == ["a", "b"]


@pytest.mark.parametrize("damage", ["all of it", "the middle"])
def test_a_damaged_file_is_made_anew_with_one_line(damage: str):
    CachedEmbed(Counting(), "m", silent)(TEXTS)
    data = bytearray(cache_file().read_bytes())
    start = 0 if damage == "all of it" else 4096
    data[start:] = b"x" * (len(data) - start)
    cache_file().write_bytes(data)
    told: list[str] = []
    embed = Counting()
    cached = CachedEmbed(embed, "m", told.append)
    assert np.array_equal(cached(TEXTS), Counting()(TEXTS))
    assert len(told) == 1 and "is damaged" in told[0] and str(cache_file()) in told[0]
    assert CachedEmbed(Counting(), "m", silent)(TEXTS[:1]).shape == (1, 8)
    cached(TEXTS)
    assert len(embed.asked) == len(TEXTS)


def test_where_no_file_can_be_the_embedder_is_asked_and_it_is_told_once(folder: Path):
    folder.write_text("in the way")
    told: list[str] = []
    embed = Counting()
    cached = CachedEmbed(embed, "m", told.append)
    assert cached(["a"]).shape == cached(["a"]).shape == (1, 8)
    assert embed.asked == ["a", "a"]
    assert len(told) == 1 and "cannot be used" in told[0]


def test_the_file_is_bounded_and_the_oldest_go_first():
    most = 100_000
    cached = CachedEmbed(Counting(dim=64), "m", silent, most_bytes=most)
    for start in range(0, 3000, 100):
        cached([f"text {n}" for n in range(start, start + 100)])
    assert cache_file().stat().st_size < 2 * most
    again = Counting(dim=64)
    CachedEmbed(again, "m", silent)([f"text {n}" for n in range(3000)])
    assert 0 < 3000 - len(again.asked) < most / 64 / 4
    assert "text 0" in again.asked and "text 2999" not in again.asked


def _embed_all(number: int) -> int:
    cached = CachedEmbed(Counting(), "m", silent)
    for start in range(0, len(TEXTS), 50):
        some = TEXTS[start : start + 50][:: 1 if number % 2 else -1]
        assert np.array_equal(cached(some), Counting()(some))
    return number


def test_processes_share_it():
    with ProcessPoolExecutor(3, mp_context=get_context("fork")) as pool:
        assert list(pool.map(_embed_all, range(6))) == list(range(6))
    later = Counting()
    assert np.array_equal(CachedEmbed(later, "m", silent)(TEXTS), Counting()(TEXTS))
    assert later.asked == []


def test_no_text_is_in_the_file():
    CachedEmbed(Counting(), "m", silent)(["a secret sentence"])
    assert b"secret" not in cache_file().read_bytes()
