from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from talks import corpus, needs_corpora, talk

from discriminators.fingerprint import Fingerprint, fingerprint
from discriminators.fingerprint_compare import compare, markdown
from discriminators.spelling import typo_kinds, typos
from schemas.dialogue import Dialogue, Turn


def says(*texts: str, name: str = "d0") -> Dialogue:
    """A partner whose every message is answered by a word that is no word of anybody's."""
    said = [turn for text in texts for turn in (("user", text), ("assistant", "Mm."))]
    return talk(*said, name=name)


def written(*texts: str) -> list[str]:
    return [typo.written for typo in typos(says(*texts))]


def test_a_partner_that_never_speaks_has_no_messages_and_nothing_else():
    found = fingerprint(talk(("assistant", "Hello?")))
    assert found.messages == 0
    assert set(found[1:]) == {None}


def test_only_the_partner_counts():
    found = fingerprint(talk(("user", "I like the sea."), ("assistant", "Why is that? Please tell me more about it!")))
    assert (found.messages, found.words, found.questions, found.politeness) == (1, 4, 0, 0)


def test_lengths_are_in_words_and_a_tokenised_clitic_is_no_word():
    found = fingerprint(says("I 'd like that .", "It wo n't do", "A B C D E F"))
    assert (found.first_words, found.words) == (3, 4)
    assert found.words_p90 == pytest.approx(5.4)


@pytest.mark.parametrize(
    ("text", "typo"),
    [
        ("I definately like it", "definately"),
        ("this is my freind", "freind"),
        ("teh sea is nice", "teh"),
        ("Becuase I can", "becuase"),
        ("the gardenn was wet", "gardenn"),
        ("I was runing home", "runing"),
        ("he commited to it", "commited"),
        ("THIS IS BEUTIFUL", "beutiful"),
    ],
)
def test_a_slip_is_a_typo(text: str, typo: str):
    assert typo in written(text)


@pytest.mark.parametrize(
    "text",
    [
        "lol u gonna go? idk tbh, brb",
        "hahaha hmmm ohhh sooooo coool hehehe",
        "I met Grogann and Mr Sandlerr, then Definately came",
        "see @134032 or #recieve, flat B12c, teh_id, https://recieve.example/teh",
        "my favourite colour is grey, we organise and travelled to the theatre centre",
        "dont worry, thats what im saying, youre right and it doesnt matter",
        "she was chattin and goin home",
        "I rewatched it, it glitched; the podcasts and memes",
        "the FBIX and the USAA",
        "how'd it go? that'd be good, y'all should've come",
        "naruto pikachu zendaya",
    ],
)
def test_names_numbers_ids_and_chat_spellings_are_no_typos(text: str):
    assert written(text) == []


def test_what_the_other_side_calls_it_is_a_name():
    asked = talk(("assistant", "Do you like Becuase?"), ("user", "a fine band, becuase!"))
    assert list(typos(asked)) == []
    assert written("becuase it is") == ["becuase"]


def test_an_unknown_word_written_three_times_is_meant():
    assert written("becuase once", "becuase twice") == ["becuase", "becuase"]
    assert written("becuase once", "becuase twice", "becuase thrice") == []


@pytest.mark.parametrize(
    ("slip", "meant", "kind"),
    [
        ("remeber", "remember", "drop"),
        ("importtant", "important", "double"),
        ("betwxeen", "between", "insert"),
        ("becuase", "because", "swap"),
        ("definately", "definitely", "replace"),
    ],
)
def test_a_typo_with_one_clear_correction_has_a_kind(slip: str, meant: str, kind: str):
    assert [tuple(t) for t in typos(says(f"well {slip} then"))] == [(slip, meant, kind)]
    assert typo_kinds([says(f"well {slip} then")] * 2) == {kind: 2}


def test_a_typo_of_which_two_corrections_are_as_likely_has_no_kind():
    assert [tuple(t) for t in typos(says("that is wierd"))] == [("wierd", None, None)]
    assert typo_kinds([says("that is wierd")]) == {}


@pytest.mark.parametrize(
    ("feature", "yes", "no"),
    [
        ("questions", "Do you like it?", "I like it."),
        ("questions", "what is that", "that is what it is"),
        ("politeness", "Thanks, that helps.", "That helps."),
        ("agreement_openings", "Sure, why not.", "I am sure of it."),
        ("agreement_openings", "yes", "yesterday"),
        ("refusals", "I'd rather not say.", "I'd rather say it."),
        ("refusals", "No thanks.", "No, two of them."),
        ("corrections", "No, I meant the other one.", "I like the other one."),
        ("corrections", "That's not what I asked for.", "That's fine."),
        ("emoji", "nice :)", "nice (really): yes"),
        ("emoji", "nice 😀", "nice"),
        ("ellipsis", "well...", "well."),
        ("no_final_stop", "so it is", "So it is."),
        ("no_final_stop", "so it is :)", 'He said "no."'),
        ("lower_case_starts", "so it is", "So it is."),
        ("dropped_apostrophes", "Dont", "Don't"),
    ],
)
def test_a_share_is_one_with_the_cue_and_nothing_without(feature: str, yes: str, no: str):
    assert getattr(fingerprint(says(yes)), feature) == 1
    assert getattr(fingerprint(says(no)), feature) == 0
    assert getattr(fingerprint(says(yes, no)), feature) == 0.5


def test_messages_that_begin_with_no_letter_have_no_case():
    assert fingerprint(says("42", "7 of them")).lower_case_starts is None


def test_numbers_and_codes_and_addresses_are_identifiers():
    assert fingerprint(says("Flat 12, code A7-x, @me, https://example.org", "none")).identifiers == 2


def test_a_message_right_after_ones_own_is_a_double_text():
    said = talk(("user", "Hi"), ("user", "there"), Turn(role="assistant", kind="silence"), ("user", "hello?"))
    assert fingerprint(said).double_texts == pytest.approx(2 / 3)
    assert fingerprint(says("Hi", "there")).double_texts == 0


def test_who_has_the_last_word_ends():
    assert fingerprint(talk(("assistant", "Hi"), ("user", "Bye"))).partner_ends == 1
    assert fingerprint(talk(("user", "Hi"), ("assistant", "Bye"))).partner_ends == 0


def test_variety_needs_fifty_words_and_does_not_fall_with_length():
    words = [f"{a}{b}" for a in "abcdefghij" for b in "abcde"]
    assert fingerprint(says(" ".join(words[:49]))).variety is None
    assert fingerprint(says(" ".join(words))).variety == 1
    assert fingerprint(says(" ".join(words * 4))).variety == 1
    assert fingerprint(says("no " * 60)).variety == pytest.approx(1 / 50)


def test_a_topic_returns_after_two_messages_without_it():
    assert fingerprint(says("the garden", "fine", "rain today", "my garden grows")).topic_returns == 1
    assert fingerprint(says("the garden", "a garden", "gardens", "my garden grows")).topic_returns == 0
    assert fingerprint(says("the garden", "fine", "my garden")).topic_returns is None


def test_the_same_question_in_other_words_is_a_repeated_ask():
    assert fingerprint(says("Where is the station?", "Sorry, where is that station?")).repeated_asks == 0.5
    assert fingerprint(says("Where is the station?", "When does the museum open?")).repeated_asks == 0
    assert fingerprint(says("No question here.")).repeated_asks is None


def test_messages_are_counted_until_the_first_wish_and_never_is_none():
    assert fingerprint(says("hi", "nice day", "I need a room")).messages_before_wish == 2
    assert fingerprint(says("I'd like a room")).messages_before_wish == 0
    assert fingerprint(says("hi")).messages_before_wish is None


def test_facts_are_none_without_labels_and_zero_when_the_labels_say_so():
    ask = Turn(role="assistant", text="How long?", facts_asked=("a",))
    tell = Turn(role="user", text="Two days, from Rome.", facts_disclosed=("a", "b"), facts_volunteered=("b",))
    assert fingerprint(talk(("user", "Two days."))).facts is None
    told = fingerprint(talk(ask, tell, tell))
    assert (told.facts, told.facts_asked) == (1, 0.5)
    kept = fingerprint(talk(ask, ("user", "Who knows.")))
    assert (kept.facts, kept.facts_asked) == (0, None)


@given(st.lists(st.text(max_size=60), max_size=6))
def test_any_text_gives_shares_between_zero_and_one(texts: Sequence[str]):
    found = fingerprint(says(*texts))
    counts = {"messages", "words", "words_p90", "first_words", "identifiers", "messages_before_wish", "facts"}
    shares = {name: value for name, value in found._asdict().items() if name not in counts and value is not None}
    assert {name: value for name, value in shares.items() if not 0 <= value <= 1} == {}


def people(side: str, count: int, polite: float) -> list[Dialogue]:
    rng = Random(side)
    texts = ["where is it?", "Over there.", "no idea lol", "It rains, and it rains.", "maybe later then"]

    def message() -> str:
        return rng.choice(texts) + (" thanks" if rng.random() < polite else "")

    return [says(*(message() for _ in range(6)), name=f"{side}{i}") for i in range(count)]


def by_feature(real: Sequence[Dialogue], synthetic: Sequence[Dialogue]):
    return {row.feature: row for row in compare(real, synthetic, seed=0, draws=200, splits=100)}


def test_a_polite_simulation_is_many_floors_away_and_only_in_politeness():
    rows = by_feature(people("r", 80, 0.2), people("s", 80, 0.8))
    assert list(rows) == list(Fingerprint._fields)
    row = rows["politeness"]
    assert row.difference is not None and row.floor is not None and row.floors_away is not None
    assert row.difference.low > row.floor > 0
    assert row.floors_away > 3
    assert row.real == pytest.approx(0.2, abs=0.06) and row.synthetic == pytest.approx(0.8, abs=0.06)
    same = rows["questions"].floors_away
    assert same is not None and same < 1.5


def test_the_same_dialogues_do_not_differ():
    real = people("r", 30, 0.5)
    rows = by_feature(real, real)
    assert {r.difference.value for r in rows.values() if r.difference is not None} == {0.0}


def test_copies_inside_a_group_do_not_narrow_the_interval():
    few = by_feature(people("r", 10, 0.5), people("s", 10, 0.5))["politeness"].difference
    many = by_feature(people("r", 10, 0.5) * 8, people("s", 10, 0.5) * 8)["politeness"].difference
    assert few == pytest.approx(many)
    assert many is not None and many.n == 10


def test_a_feature_that_nobody_has_is_a_row_without_figures():
    row = by_feature(people("r", 10, 0.5), people("s", 10, 0.5))["facts"]
    assert (row.real, row.synthetic, row.difference, row.floor, row.floors_away) == (None,) * 5
    assert (row.n_real, row.n_synthetic) == (0, 0)


def test_an_empty_side_is_compared_with_nothing():
    row = by_feature(people("r", 10, 0.5), [])["words"]
    assert row.real is not None
    assert (row.synthetic, row.difference, row.n_synthetic) == (None, None, 0)


def test_the_same_seed_gives_the_same_figures_whether_listed_or_streamed():
    real, synthetic = people("r", 12, 0.3), people("s", 12, 0.6)
    assert compare(iter(real), iter(synthetic), 3, draws=50) == compare(real, synthetic, 3, draws=50)


def test_the_table_has_a_row_a_feature_and_dashes_for_what_is_not_known():
    lines = markdown(compare(people("r", 10, 0.2), people("s", 10, 0.8), seed=0, draws=50)).splitlines()
    assert len(lines) == len(Fingerprint._fields) + 2
    assert len({line.count("|") for line in lines}) == 1
    assert next(line for line in lines if line.startswith("| facts |")) == "| facts | - | - | - | - | - | - | 0 | 0 |"


@needs_corpora
def test_films_and_chit_chat_differ_in_identifiers_and_chit_chat_from_itself_does_not():
    chat = corpus("open_domain__chitchat", 120)
    rows = by_feature(chat[:60], corpus("recommendation__redial", 60))
    assert rows["identifiers"].floors_away is not None and rows["identifiers"].floors_away > 2
    itself = [row.floors_away for row in by_feature(chat[:60], chat[60:]).values() if row.floors_away is not None]
    assert sum(away > 1.5 for away in itself) <= 2
