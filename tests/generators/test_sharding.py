"""Sharding: a problem comes apart into pieces that any order may bring, and each fault of a sharding is found."""

from pathlib import Path
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from generators.tasks import catalog
from generators.tasks.executable import executable
from generators.tasks.pieces import names, pieces, points_back
from generators.tasks.responses import read_response
from generators.tasks.sharding import (
    checks,
    clear_intent,
    from_template,
    load,
    maximal,
    minimal,
    order_free,
    preserved,
    quantities,
)
from schemas.errors import DataError

SOURCE = (
    "Mimi picked up 24 shells on the beach. Kyle found 3 times as many shells as Mimi. Each shell is worth 5 cents. "
    "How many cents are Kyle's shells worth?"
)
SOLUTION = "Kyle has 24*3=<<24*3=72>>72 shells. They are worth 72*5=<<72*5=360>>360 cents.\n#### 360"
FIRST = "How many cents are Kyle's shells worth?"
SHARDS = [
    "Mimi picked up 24 shells on the beach.",
    "Kyle found 3 times as many shells as Mimi.",
    "Each shell is worth 5 cents.",
]
WORKED = executable(SOURCE, SOLUTION, quantities("360").popitem()[0])


def test_a_text_comes_apart_into_its_question_and_its_sentences():
    assert pieces(SOURCE) == (FIRST, SHARDS)
    assert all(check.valid for check in checks(SOURCE, FIRST, SHARDS, WORKED))


def test_what_points_back_gets_its_name_or_stays_where_it_was():
    first, told = pieces("Greta earns 80 dollars a day. She works 5 days. How much money does she get?")
    assert first == "How much money does Greta get?"
    assert told == ["Greta earns 80 dollars a day.", "Greta works 5 days."]
    _, told = pieces("Ann met Bo at 5. She left after 2 hours. How long did Bo stay?")
    assert told == ["Ann met Bo at 5. She left after 2 hours."]
    _, told = pieces("Ann has 9 pens. Her mother gives her 4 pens. I give her 3 more. How many pens does Ann have?")
    assert told == ["Ann has 9 pens.", "Ann's mother gives her 4 pens. I give her 3 more."]
    _, told = pieces("Ann has 9 pens. Then 4 pens break. How many pens does Ann have?")
    assert told == ["Ann has 9 pens. Then 4 pens break."]


def test_clauses_with_a_quantity_each_come_apart_and_so_does_what_a_question_is_asked_under():
    first, told = pieces("A slice costs 4 dollars and a cake costs 7 dollars. If Dee buys 5 slices, how much is that?")
    assert first == "How much is that?"
    assert told == ["A slice costs 4 dollars.", "A cake costs 7 dollars.", "Dee buys 5 slices."]
    _, told = pieces("Dee buys 5 slices and 3 cakes. How many things does Dee buy?")
    assert told == ["Dee buys 5 slices and 3 cakes."]  # no clause of its own: it would lose its verb


@pytest.mark.parametrize(
    ("text", "reason"), [("Ann has 3 pens.", "no_question"), ("Has Ann 3? How many?", "two_questions")]
)
def test_a_text_that_asks_nothing_or_twice_is_refused(text: str, reason: str):
    with pytest.raises(ValueError, match=reason):
        pieces(text)


@pytest.mark.parametrize(
    ("shards", "reason"),
    [
        (SHARDS[:2], "information_lost"),
        ([*SHARDS, "Remember that the shells are 5 cents."], "told_twice"),
        ([*SHARDS, "Kyle walks 9 miles."], "information_added"),
    ],
)
def test_a_quantity_that_is_lost_told_twice_or_made_up_is_found(shards: list[str], reason: str):
    assert preserved(SOURCE, FIRST, shards, WORKED).reason == reason
    assert preserved(SOURCE, FIRST, shards).reason == reason


def test_a_sharding_from_which_the_answer_does_not_follow_is_found():
    lost = executable("A has 24 and B has 3.", "<<24*3=72>>72", quantities("72").popitem()[0])
    assert preserved(FIRST, FIRST, [], lost).reason == "other_answer"


def test_an_opening_that_neither_asks_nor_commands_is_found():
    assert clear_intent("Calculate the worth of the shells.").valid and clear_intent(FIRST).valid
    assert clear_intent("There are shells on the beach.").reason == "unclear_intent"


@pytest.mark.parametrize(
    "back", ["He then found 3 more.", "They are worth 5 cents.", "The rest are blue.", "After that 3 break."]
)
def test_a_shard_that_points_back_is_found(back: str):
    assert order_free("How many shells are there?", [*SHARDS[:1], back]).reason == "points_back"
    assert order_free(FIRST, SHARDS).valid
    assert order_free(FIRST, ["Sofia has 3 shells.", "So far 3 are sold.", "It takes 2 hours."]).valid


def test_he_or_she_may_be_who_the_question_is_about_and_nobody_else():
    assert order_free("How many pens does Ann have?", ["She buys 3 pens."]).valid
    assert not order_free("How many pens do Ann and Bo have?", ["She buys 3 pens."]).valid
    assert points_back("In May she buys 3 pens.", ["Ann", "Bo"]) and not points_back("Ann has her 3 pens.", ["Ann"])


def test_a_shard_with_two_needed_quantities_that_could_be_told_apart_is_found():
    both = "Mimi picked up 24 shells and Kyle found 3 times as many shells."
    assert maximal([both], set(quantities("24 3"))).reason == "not_maximal"
    assert maximal([both], set(quantities("24"))).valid  # the other one is not needed
    assert maximal(["Mimi found 24 shells and 3 crabs."], set(quantities("24 3"))).valid


def test_a_shard_in_other_words_than_the_source_is_found():
    assert (
        minimal(SOURCE, ["The cost needs to be calculated from what each sibling brought home."]).reason == "rewritten"
    )
    assert minimal(SOURCE, ["Mimi picked up 24 shells."]).valid


def test_names_are_words_with_a_capital_that_is_no_beginning():
    assert names("Mimi met Kyle. Mimi left on Monday. The dog stayed.") == ["Mimi", "Kyle"]


def written(path: Path, **row: object) -> Path:
    path.write_bytes(orjson.dumps({"question": SOURCE, "answer": SOLUTION} | row) + b"\n")
    return path


def test_a_file_is_sharded_by_program_and_only_what_surely_does_not_count_is_not_required(tmp_path: Path):
    question = SOURCE.replace("on the beach.", "on the beach. Kyle was there at 11 o'clock. The sea was blue.")
    (sharded,) = load(written(tmp_path / "problems.jsonl", question=question)).problems
    assert sharded.first == FIRST and [f.id for f in sharded.shards] == [f"shard_{n}" for n in range(1, 6)]
    assert [f.required for f in sharded.shards] == [True, False, False, True, True]
    assert sharded.shards[0].value == "24" and "24" not in sharded.shards[0].slot
    assert sharded.problem.verifier.check("360") and not sharded.visible


def test_a_slot_names_what_a_shard_is_about_without_its_amounts(tmp_path: Path):
    question = "On her 30th day Ann earns $500 and pays 20% of it as tax. How much does Ann keep?"
    answer = "Ann pays 500*20/100=<<500*20/100=100>>100. She keeps 500-100=<<500-100=400>>400.\n#### 400"
    (sharded,) = load(written(tmp_path / "slot.jsonl", question=question, answer=answer)).problems
    assert sharded.shards[0].slot == "on ann's day ann earns and pays of it as tax"


def test_ready_made_shards_are_used_where_a_row_has_them_and_refused_by_reason(tmp_path: Path):
    ready = written(tmp_path / "ready.jsonl", meta={"shards": [FIRST, *reversed(SHARDS)], "task_id": "a"})
    (sharded,) = load(ready).problems
    assert [f.text for f in sharded.shards] == list(reversed(SHARDS))
    rows = [
        {"shards": [FIRST, *SHARDS]},
        {"shards": [FIRST, *SHARDS[1:]]},
        {"shards": [FIRST]},
        {"shards": [FIRST, ""]},
    ]
    lines = [orjson.dumps({"question": SOURCE, "answer": SOLUTION, "meta": meta}) for meta in rows]
    (tmp_path / "mixed.jsonl").write_bytes(b"\n".join(lines))
    mixed = load(tmp_path / "mixed.jsonl")
    assert len(mixed.problems) == 1
    assert mixed.refused == {"information_lost": 1, "no_shards": 1, "empty_shard": 1}


def test_a_file_without_a_problem_that_can_be_told_in_pieces_says_why(tmp_path: Path):
    with pytest.raises(DataError, match=r"none\.jsonl: no problem that can be told in pieces \(1 no_question\)"):
        load(written(tmp_path / "none.jsonl", question="Ann has 3 pens."))


@given(st.sampled_from(catalog.ALL), st.integers(0, 1000))
def test_a_built_in_problems_shards_and_question_are_its_text(template: catalog.Template, seed: int):
    sharded = from_template(template, Random(seed))
    texts = [fact.text for fact in sharded.shards]
    assert preserved(sharded.problem.public, sharded.first, texts).valid and clear_intent(sharded.first).valid
    assert sorted(" ".join([sharded.first, *texts]).split()) == sorted(sharded.problem.public.split())
    assert all(fact.holder == "user" and fact.required for fact in sharded.shards)


def test_the_shared_sharded_set_loads_and_every_refused_row_is_counted():
    path = Path(__file__).parents[3] / "shared/corpora/problems__gsm8k_sharded.parquet"
    if not path.exists():
        pytest.skip("the shared corpora are not there")
    loaded = load(path)
    assert len(loaded.problems) + sum(loaded.refused.values()) == 795 and len(loaded.problems) > 250
    assert {"told_twice", "points_back", "information_lost"} <= loaded.refused.keys()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("That makes 360. Answer: 360", "answer_attempt"),
        ("How many shells did Mimi find?", "clarification"),
        ("How many shells did Mimi find? And what is one worth?", "interrogation"),
        (f"How many {'very ' * 100}nice shells did Mimi find?", "interrogation"),
        ("If each is worth 5 cents it makes 360, and 720 if each is worth 10.", "hedge"),
        ("If they are 3 the answer is 15. Supposing 4, the answer is 20.", "hedge"),
        ("There is not enough information to say.", "refuse"),
        ("Ok, go on.", "discussion"),
        ("...", "missing"),
        (None, "missing"),
    ],
)
def test_what_a_message_does_is_read_off_its_words(text: str | None, found: str):
    read = read_response(text, "number")
    assert read.type == found and (read.answer is not None) == (found == "answer_attempt")
