"""How a person types."""

import re
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from generators.noise.typing import CLEAN, TEXTING, SelfCorrection, TypingStyle, TypoKinds, correction, typed

shares = st.floats(0, 1)
styles = st.builds(
    TypingStyle,
    casing=st.sampled_from(["lower", "mixed", "proper"]),
    final_stop=shares,
    question_mark_dropped=st.floats(0, 0.2),
    apostrophes=shares,
    comma_dropped=shares,
    typo_rate=st.floats(0, 0.2),
    abbreviations=shares,
    short_words=st.sampled_from([{}, dict(TEXTING)]),
    ending=st.sampled_from(["haha", "lol", "smile", "emoji"]),
    ending_rate=shares,
    stretched=shares,
)
SOME = ("I", "you're", "Because", "going to", "watch", "we're", "kind of", "so", "really", "Love", "what", "people")
words = st.sampled_from([*SOME, "never", "25", "3pm", "a@b.org", "U.S.", "Don't", "happen"])
marks = st.sampled_from([" ", ", ", ". ", "? ", "! ", " - ", "... "])
texts = st.lists(st.tuples(words, marks), max_size=12).map(lambda pairs: "".join(w + m for w, m in pairs).strip())
seeds = st.integers(0, 10_000)

LONG = "people sometimes travel abroad with their brother because these places seem pleasant " * 400


def only(**changes: object) -> TypingStyle:
    """The clean style with these habits."""
    return TypingStyle.model_validate({**CLEAN.model_dump(), **changes})


@given(texts, styles, seeds)
def test_the_same_seed_types_the_same_message(text: str, style: TypingStyle, seed: int):
    assert typed(text, style, Random(seed)) == typed(text, style, Random(seed))


@given(st.one_of(st.text(), texts), seeds, st.lists(st.text(max_size=5), max_size=3))
def test_a_clean_style_types_the_text_as_it_was(text: str, seed: int, keep: list[str]):
    assert typed(text, CLEAN, Random(seed), keep) == text


@given(st.one_of(st.text(), texts), styles, seeds)
def test_a_message_is_never_emptied(text: str, style: TypingStyle, seed: int):
    assert bool(typed(text, style, Random(seed)).strip()) == bool(text.strip())


@given(texts, texts, styles, seeds, st.sampled_from(["Lisbon", "Aunt Becky, a nurse", "really", "O'Hara", "Love you"]))
def test_kept_words_survive_letter_by_letter(before: str, after: str, style: TypingStyle, seed: int, kept: str):
    assert kept in typed(f"{before} {kept} {after}", style, Random(seed), [kept])


@given(texts, styles, seeds)
def test_what_holds_a_digit_or_an_at_is_only_lower_cased(text: str, style: TypingStyle, seed: int):
    sent = typed(text, style, Random(seed)).split()
    for word in text.split():
        if bare := re.search(r"\S*[\d@]\S*[^.,?!]|\d+", word):
            assert any(bare[0].lower() in w.lower() for w in sent)


@given(st.one_of(st.text(), texts), styles, seeds)
def test_a_lower_cased_person_writes_no_capitals(text: str, style: TypingStyle, seed: int):
    sent = typed(text, style.model_copy(update={"casing": "lower"}), Random(seed))
    assert sent == sent.lower()


def test_a_lower_cased_person_keeps_the_capitals_of_kept_words():
    assert typed("I love Porto and Lisbon.", only(casing="lower"), Random(0), ["Lisbon"]) == "i love porto and Lisbon."


@given(texts, styles, seeds)
def test_a_question_stays_one_and_a_statement_does_not_become_one(text: str, style: TypingStyle, seed: int):
    marked = typed(text, style.model_copy(update={"question_mark_dropped": 0.0}), Random(seed))
    assert marked.count("?") == text.count("?")
    assert typed(text, style, Random(seed)).count("?") in (text.count("?"), text.count("?") - 1)


@pytest.mark.parametrize(("text", "may_lose"), [("what do you do?", True), ("you?", False), ("Really?", False)])
def test_a_question_mark_goes_only_where_the_words_ask_without_it(text: str, may_lose: bool):
    style = only(question_mark_dropped=0.2)
    sent = {typed(text, style, Random(seed)) for seed in range(100)}
    assert sent == ({text, text.rstrip("?")} if may_lose else {text})


@pytest.mark.parametrize("rate", [0.01, 0.05, 0.1])
def test_as_many_words_are_mistyped_as_asked(rate: float):
    sent = typed(LONG, only(typo_rate=rate), Random(3)).split()
    able = [(was, is_) for was, is_ in zip(LONG.split(), sent, strict=True) if len(was) >= 4]
    assert sum(was != is_ for was, is_ in able) / len(able) == pytest.approx(rate, rel=0.15)


@pytest.mark.parametrize("kind", ["drop", "double", "swap", "replace"])
@given(seed=seeds)
def test_a_typo_is_of_the_asked_kind_spares_the_first_letter_and_its_neighbours(kind: str, seed: int):
    kinds = TypoKinds(**{k: float(k == kind) for k in ("drop", "double", "swap", "replace")})
    text = LONG[:850]
    pairs = list(
        zip(text.split(), typed(text, only(typo_rate=0.2, typo_kinds=kinds), Random(seed)).split(), strict=True)
    )
    wrong = [at for at, (was, is_) in enumerate(pairs) if was != is_]
    assert all(b - a > 1 for a, b in pairwise(wrong))
    for was, is_ in (pairs[at] for at in wrong):
        assert is_[0] == was[0]
        assert len(is_) - len(was) == {"drop": -1, "double": 1}.get(kind, 0)
        assert (sorted(is_) == sorted(was)) == (kind == "swap")


def test_a_no_is_never_mistyped_and_neither_is_a_name():
    style = only(typo_rate=0.2)
    sent = {typed("we never saw Barbara", style, Random(seed)) for seed in range(200)}
    assert sent == {"we never saw Barbara"}


@pytest.mark.parametrize(
    ("text", "sent"),
    [
        ("Because of you.", "Cuz of u."),
        ("I'm going to eat.", "I'm gonna eat."),
        ("I'm going to Lisbon.", "I'm going to Lisbon."),
        ("It's kind of odd.", "It's kinda odd."),
        ("What kind of music?", "What kind of music?"),
        ("Well, I don't know.", "Well, idk."),
        ("I don’t know.", "Idk."),
    ],
)
def test_words_are_shortened_where_people_shorten_them(text: str, sent: str):
    assert typed(text, only(abbreviations=1, short_words=dict(TEXTING)), Random(0)) == sent


@pytest.mark.parametrize(
    ("style", "text", "sent"),
    [
        (only(apostrophes=0), "I don't think we're late, it's 5.", "I dont think we're late, its 5."),
        (only(final_stop=0), "I see. So do I.", "I see. So do I"),
        (only(final_stop=0), "I see...", "I see..."),
        (only(final_stop=0), "at 6 a.m.", "at 6 a.m."),
        (only(final_stop=0), ".", "."),
        (only(comma_dropped=1), "Yes, I have 3, 4 or 1,000.", "Yes I have 3, 4 or 1,000."),
        (only(ending="lol", ending_rate=1), "I fell off my bike.", "I fell off my bike lol"),
        (only(ending="lol", ending_rate=1), "My dog died.", "My dog died."),
        (only(ending="lol", ending_rate=1), "haha I see.", "haha I see."),
        (only(ending="lol", ending_rate=1), "Do you ski?", "Do you ski?"),
        (only(ending="smile", ending_rate=1), "How are you?", "How are you? :)"),
    ],
)
def test_marks_and_endings_follow_the_habit(style: TypingStyle, text: str, sent: str):
    assert typed(text, style, Random(0)) == sent


def test_one_word_is_stretched_to_three_letters_or_more():
    for seed in range(50):
        assert re.fullmatch(
            r"(ohhh+ it's so|oh it's sooo+) good", typed("oh it's so good", only(stretched=1), Random(seed))
        )
    assert typed("no idea", only(stretched=1), Random(0)) == "no idea"


def test_half_the_messages_of_a_mixed_person_begin_small():
    sent = [typed("Nice day.", only(casing="mixed"), Random(seed)) for seed in range(1000)]
    assert sent.count("nice day.") / 1000 == pytest.approx(0.5, abs=0.05)
    assert set(sent) == {"nice day.", "Nice day."}


@given(seeds, styles)
def test_a_correction_names_a_word_that_was_mistyped(seed: int, style: TypingStyle):
    text = "Honestly, my brother would never travel without his really expensive camera."
    always = style.model_copy(update={"self_correction": SelfCorrection(probability=1)})
    sent = typed(text, always, Random(seed))
    second = correction(text, sent, always, Random(seed))
    if second is not None:
        assert second[0] == "*"
        assert second[1:].lower() in text.lower()
        assert not re.search(rf"\b{second[1:]}\b", sent, re.IGNORECASE)


@pytest.mark.parametrize(
    ("sent", "second"),
    [
        ("my borther is here", "brother*"),
        ("my brother is here", None),
        ("my brother is heree haha", "here*"),
        ("my bro is hereee", None),
    ],
)
def test_only_a_typo_is_corrected(sent: str, second: str | None):
    style = only(self_correction={"probability": 1, "star": "after"})
    assert correction("my brother is here", sent, style, Random(0)) == second


def test_corrections_are_as_frequent_as_asked():
    style = only(self_correction={"probability": 0.3})
    found = [correction("my brother", "my borther", style, Random(seed)) for seed in range(1000)]
    assert found.count("*brother") / 1000 == pytest.approx(0.3, abs=0.05)


def test_shares_of_typos_that_are_all_zero_are_refused():
    with pytest.raises(ValidationError, match="at least one share must be above 0"):
        TypoKinds(drop=0, double=0, swap=0, replace=0)


def test_a_style_survives_json():
    style = TypingStyle(casing="lower", short_words=dict(TEXTING))
    assert TypingStyle.model_validate_json(style.model_dump_json()) == style
