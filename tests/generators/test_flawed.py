"""Flawed problems and their controls: the same rewriting, of what the answer needs, or of what it does not."""

from fractions import Fraction
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from generators.tasks.executable import Executable, Unreadable, executable, find_quantities
from generators.tasks.flawed import KINDS, Flaw, Removed, Stranger, Variant, blurred, pair, strangers

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
PENS = executable(
    "Ann has 14 pens. She gives 5 pens to each of her 2 brothers. She keeps 9 books. How many pens are left?",
    "She gives <<5*2=10>>10, so <<14-10=4>>4 are left.",
    Fraction(4),
)
TRAIN = executable(
    "Paul drives 60 miles to a lake. He swims for 3 hours. How far is it?", "<<60*2=120>>120", Fraction(120)
)


def made(kind: Flaw, seed: int = 0) -> tuple[Variant, Variant]:
    found = pair(PENS, kind, strangers(TRAIN), Random(seed))
    assert found is not None
    return found[:2]


def test_missing_takes_what_is_needed_and_the_control_lacks_what_nothing_needs() -> None:
    for seed in range(10):
        flawed, control = made("missing", seed)
        assert control.question == PENS.question.replace("9 books", "some books")
        assert flawed.question in (
            PENS.question.replace("14 pens", "some pens"),
            PENS.question.replace("5 pens", "some pens"),
        )
        assert (flawed.flawed, control.flawed) == (True, False) and flawed.answer == control.answer == 4
        assert flawed.removed.value in ("14", "5") and flawed.removed.slot == "how many pens"
        assert control.removed == Removed("She keeps 9 books.", "9", "how many books")


def test_a_stranger_joins_both_and_one_of_the_two_is_blurred() -> None:
    flawed, control = made("missing_distractor")
    whole = "Ann has 14 pens. Ann drives 60 miles to a lake."
    either = {whole, "Ann drives 60 miles to a lake. Ann has 14 pens."}
    assert flawed.question.replace("some pens", "14 pens").partition(" She gives")[0] in either
    assert control.question == flawed.question.replace("some pens", "14 pens").replace("60 miles", "some miles")
    assert {made("missing_distractor", seed)[0].question.startswith("Ann has") for seed in range(9)} == {True, False}


def test_a_contradiction_says_both_sentences_again_and_one_number_is_another() -> None:
    flawed, control = made("contradiction")
    for variant, changed, kept in ((flawed, "pens", "60 miles"), (control, "miles", "has 14 pens")):
        assert variant.question.count(kept) == 2
        said = [q for q in find_quantities(variant.question) if variant.question[q.end :].startswith(f" {changed}")]
        ours = [q.value for q in said if q.value != 5]
        assert len(ours) == 2 and ours[0] != ours[1]


@pytest.mark.parametrize(
    ("text", "as_some"),
    [
        ("He has 3 cats.", "He has some cats."),
        ("3 old cats sleep.", "Some old cats sleep."),
        ("It costs $1,200 a year.", "It costs some money a year."),
        ("It lasts 3 times as long.", None),
        ("It weighs 3 more pounds.", None),
        ("Of her 3 cats one sleeps.", None),
        ("Tom's 3 cats sleep.", None),
        ("It is a 3-hour trip.", None),
        ("He is 3 years old.", None),
        ("It is 9 o'clock.", None),
        ("He bought 4 dozen eggs.", None),
        ("It is 40% girls.", None),
        ("A $5 bill.", None),
        ("He lost half of them.", None),
    ],
)
def test_a_quantity_is_blurred_only_where_that_is_english(text: str, as_some: str | None) -> None:
    assert blurred(text, next(find_quantities(text))) == as_some


def test_a_stranger_stands_alone_and_shares_no_word_with_the_problem() -> None:
    assert [s.sentence for s in strangers(TRAIN)] == ["Paul drives 60 miles to a lake."]  # nothing needs the 3 hours
    sentence = "Paul sells 6 pens at school."
    pens = Stranger(sentence, next(find_quantities(sentence)))
    assert pair(PENS, "missing_distractor", [pens], Random(1)) is None


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not on this machine")
@pytest.mark.parametrize("kind", KINDS)
def test_pairs_of_real_problems_are_of_one_length_and_only_the_flawed_lacks_a_needed_number(kind: Flaw) -> None:
    problems = real()
    joining = [s for problem in problems[1::2] for s in strangers(problem)]
    found = [(p, f) for n, p in enumerate(problems[::2]) if (f := pair(p, kind, joining, Random(n)))]
    assert len(found) >= {"missing": 10, "missing_distractor": 120, "contradiction": 120}[kind]
    for problem, (flawed, control, stranger) in found:
        assert abs(len(flawed.question.split()) - len(control.question.split())) <= 1
        assert flawed.answer == control.answer == problem.answer()
        assert flawed.removed != control.removed and (stranger is None) == (kind == "missing")
        values = [[q.value for q in find_quantities(v.question)] for v in (flawed, control)]
        needed = {problem.quantities[n].value for n in problem.sure if problem.needs(n)}
        assert needed <= set(values[1])
        assert kind == "contradiction" or not needed <= set(values[0])


def real() -> list[Executable]:
    found: list[Executable] = []
    for row in pq.read_table(CORPORA / "problems__gsm8k_sample.parquet").to_pylist():
        answer = Fraction(row["answer"].rsplit("####", 1)[-1].strip().replace(",", ""))
        try:
            found.append(executable(row["question"], row["answer"], answer))
        except Unreadable:
            continue
    return found
