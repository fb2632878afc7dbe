"""Evaluation items found in texts: thirteen words in a row, short items as a whole, nothing by chance."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.overlap import SHORTEST, WORDS, Hit, Index

ITEM = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether?"
)
SHORT = "Which planet has the most moons?"


def test_an_item_is_found_whatever_its_case_and_punctuation_and_what_stands_around_it():
    index = Index([(0, "another item " * 7), (7, ITEM)])
    for text in (ITEM, f"ok so: {ITEM.upper().replace(',', ' -')} any idea", ITEM.replace(" ", "\n")):
        [hit] = index.hits(text)
        assert hit.item == 7 and len(hit.shared.split()) == WORDS and hit.shared.startswith("natalia sold clips")


def test_thirteen_words_are_enough_and_twelve_are_not():
    words = ITEM.split()
    index = Index([(0, ITEM)])
    for start in (0, 5):
        assert index.hits("he said " + " ".join(words[start : start + WORDS]))
        assert not index.hits("he said " + " ".join(words[start : start + WORDS - 1]) + " or so")


def test_a_short_item_counts_as_a_whole_wherever_it_stands_and_however_its_words_are_spaced():
    index = Index([(3, SHORT)])
    assert index.hits(f"Quick one. {SHORT} I think Saturn.") == [Hit(3, "whichplanethasthemostmoons")]
    assert index.hits("which planet, has-the most MOONS")
    assert not index.hits("which planet has the most mountains")


def test_items_that_chance_alone_would_find_are_counted_and_not_looked_for():
    index = Index([(0, "Yes, it is."), (1, "42"), (2, SHORT)])
    assert index.too_short == 2 and not index.hits("Yes, it is. 42")
    assert len("".join(c for c in SHORT if c.isalnum())) >= SHORTEST


def test_a_short_text_of_many_items_is_a_set_phrase_and_one_of_a_few_is_not():
    phrase = "Talk me through your solution."
    few, many = ([(n, phrase) for n in range(count)] for count in (10, 11))
    assert Index(few).common == 0 and Index(few).hits(phrase) == [Hit(0, "talkmethroughyoursolution")]
    assert Index(many).common == 1 and not Index(many).hits(phrase)


def test_an_item_is_told_once_a_text_and_an_empty_index_finds_nothing():
    index = Index([(0, ITEM), (1, SHORT)])
    assert [hit.item for hit in index.hits(f"{ITEM} {SHORT} {ITEM}")] == [0, 1]
    assert Index([]).hits(ITEM) == [] and Index([]).nbytes == 0


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from("abcdef"), min_size=WORDS, max_size=40), st.lists(st.sampled_from("abcdef"), max_size=60)
)
def test_the_index_finds_exactly_what_comparing_all_runs_of_words_finds(item: list[str], text: list[str]):
    runs = {tuple(item[i : i + WORDS]) for i in range(len(item) - WORDS + 1)}
    shared = any(tuple(text[i : i + WORDS]) in runs for i in range(len(text) - WORDS + 1))
    assert bool(Index([(0, " ".join(item))]).hits(" ".join(text))) == shared


def test_an_ngram_costs_twelve_bytes():
    draw = Random(1)
    items = [(n, " ".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=60))) for n in range(50)]
    grams = sum(60 - WORDS + 1 for _ in items)
    assert Index(items).nbytes == pytest.approx(12 * grams, rel=0.01)
    assert Index(items)._hashes.dtype == np.uint64
