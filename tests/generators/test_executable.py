"""Worked problems as programs: the answer follows the numbers, and only what is sure is changed."""

from collections import Counter
from fractions import Fraction
from pathlib import Path
from random import Random

import pyarrow.parquet as pq
import pytest

from generators.tasks.executable import Executable, Unreadable, executable

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
CLASS = "A class of 20 has 40% girls. If 5 boys join it, how many pupils are boys?"
CLASS_SOLUTION = "Girls: <<20*40*.01=8>>8. Boys: <<20-8=12>>12. With the new ones <<12+5=17>>17 boys."


def written(problem: Executable) -> list[str]:
    """The numbers that may be changed, as the question writes them."""
    return [problem.question[q.start : q.end] for q in (problem.quantities[n] for n in problem.sure)]


def test_the_answer_follows_the_numbers_of_the_question() -> None:
    problem = executable(CLASS, CLASS_SOLUTION, Fraction(17))
    assert written(problem) == ["20", "40", "5"]
    assert problem.answer() == 17
    assert problem.answer({0: Fraction(40)}) == 29
    assert problem.answer({1: Fraction(25), 2: Fraction(3)}) == 18
    assert all(problem.needs(n) for n in problem.sure)


def test_a_percentage_may_be_used_as_a_share() -> None:
    problem = executable("30% of 50 books are new. How many?", "<<50*.3=15>>15", Fraction(15))
    assert problem.answer({0: Fraction(10)}) == 5


@pytest.mark.parametrize(
    ("question", "solution", "answer", "sure"),
    [
        ("She eats 3 cups of 3 pods for 4 days.", "<<3*3*4=36>>36", 36, ["4"]),  # which 3 is which, nobody knows
        ("He has 8 bags of 5 apples, 3 rot.", "<<5+3=8>>8 <<8*2=16>>16", 16, ["5", "3"]),  # 8 is also what a step made
        ("Ann has 12 pens, the other one has half as many.", "<<12*1/2=6>>6", 6, ["12"]),  # 1/2 is not written so
        ("Ann has 12 pens, Ben 1/2 of them.", "<<1/2*12=6>>6", 6, ["12", "1/2"]),
        ("Ann has a dozen eggs, one breaks.", "<<12-1=11>>11", 11, ["dozen"]),  # "one" may be no amount
        ("He walks 2 miles at 9 o'clock for a week.", "<<2*7=14>>14", 14, ["2"]),  # nothing uses 9; 7 is a constant
    ],
)
def test_a_number_that_may_be_another_is_not_sure(question: str, solution: str, answer: int, sure: list[str]) -> None:
    assert written(executable(question, solution, Fraction(answer))) == sure


@pytest.mark.parametrize(
    ("solution", "answer", "reason"),
    [
        ("It is 15.", 15, "no_steps"),
        ("<<3*5=16>>16", 16, "wrong_step"),
        ("<<3**5=243>>243", 243, "unreadable_step"),
        ("<<__import__('os')=1>>1", 1, "unreadable_step"),
        ("<<5/0=5>>5", 5, "unreadable_step"),
        ("<<3*5=15>>15", 16, "other_answer"),
        ("<<7*2=14>>14", 14, "no_quantity"),
        ("<<3*4=12>>12 <<6*2=12>>12 <<12+3=15>>15", 15, "equal_results"),
    ],
)
def test_what_cannot_be_a_program_is_refused_with_a_reason(solution: str, answer: int, reason: str) -> None:
    with pytest.raises(Unreadable, match=f"^{reason}$"):
        executable("Ann buys 3 pens for 5 dollars.", solution, Fraction(answer))


def test_a_rounded_step_stays_rounded() -> None:
    problem = executable("100 sweets for 3 children, 2 each are kept.", "<<100/3=33.33>>33.33", Fraction("33.33"))
    assert problem.answer() == Fraction("33.33") and problem.answer({0: Fraction(200)}) == Fraction("66.67")


def test_a_number_that_cancels_out_is_not_needed() -> None:
    problem = executable("Of 6 pens at 4 dollars he keeps all.", "<<6*4=24>>24 <<24/4=6>>6", Fraction(6))
    assert problem.sure == (1,) and not problem.needs(1) and not problem.needs(0)


def test_other_numbers_make_another_problem_of_the_same_kind() -> None:
    problem = executable(CLASS, CLASS_SOLUTION, Fraction(17))
    drawn = {problem.vary(Random(seed)) for seed in range(20)}
    assert len(drawn) > 10
    for other in drawn:
        assert other is not None
        question, answer = other
        assert question != CLASS and answer != 17 and answer > 0 and answer.denominator == 1
        girls, boys = "% girls. If ", " boys join it, how many pupils are boys?"
        pupils, rest = question.removeprefix("A class of ").split(" has ")
        share, joined = rest.removesuffix(boys).split(girls)
        assert int(pupils) - int(pupils) * int(share) // 100 + int(joined) == answer


def test_numbers_are_written_as_they_were() -> None:
    problem = executable("He pays $1,200 and $2.50.", "<<1200+2.5=1202.5>>1202.5", Fraction("1202.5"))
    assert written(problem) == ["1,200", "2.50"]
    varied = problem.vary(Random(1))
    assert varied is not None and varied[0].startswith("He pays $") and varied[0].count("$") == 2


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not on this machine")
def test_most_problems_that_people_worked_out_are_programs() -> None:
    rows = pq.read_table(CORPORA / "problems__gsm8k_sample.parquet").to_pylist()
    found: Counter[str] = Counter()
    for row in rows:
        answer = Fraction(row["answer"].rsplit("####", 1)[-1].strip().replace(",", ""))
        try:
            problem = executable(row["question"], row["answer"], answer)
        except Unreadable as error:
            found[str(error)] += 1
        else:
            assert problem.answer() == answer
            found["ok"] += 1
            found["a needed number"] += any(problem.needs(n) for n in problem.sure)
            found["varied"] += problem.vary(Random(1)) is not None
    assert len(rows) == 998 and found["ok"] >= 860 and found["a needed number"] >= 840 and found["varied"] >= 800
