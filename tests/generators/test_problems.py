"""Every built-in template, over many seeds."""

import re
from collections import Counter
from datetime import date, timedelta
from random import Random

import pytest

from generators.tasks.catalog import ALL, by_id
from generators.tasks.problem import Draft, Given, Idle, Problem, Template, is_clean
from schemas.errors import DataError

SEEDS = range(40)
each_template = pytest.mark.parametrize("template", ALL, ids=lambda t: t.id)


def words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


def says(text: str, phrase: str) -> bool:
    """Whether the words of `phrase` stand in `text`, one after the other."""
    there, wanted = words(text), words(phrase)
    return any(there[n : n + len(wanted)] == wanted for n in range(len(there)))


def gives_away(text: str, problem: Problem) -> bool:
    if problem.verifier.kind == "set":
        return all(says(text, element) for element in problem.verifier.answer.split(", "))
    return says(text, problem.verifier.answer)


def test_there_are_at_least_64_templates_and_12_of_each_kind() -> None:
    kinds = Counter(t.kind for t in ALL)
    assert set(kinds) == {"word_arithmetic", "units_rates", "logic", "sets_dates", "algebra"}
    assert min(kinds.values()) >= 12
    assert len(ALL) >= 64


def test_template_ids_are_unique_and_lead_back_to_their_template() -> None:
    assert len({t.id for t in ALL}) == len(ALL)
    assert all(by_id(t.id) is t for t in ALL)


def test_an_unknown_template_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(DataError, match=r"did you mean 'word_arithmetic\.pencils'"):
        by_id("word_arithmetic.pencil")


@each_template
def test_every_fact_is_needed(template: Template) -> None:
    for seed in SEEDS:
        draft = template.draft(Random(seed))
        assert 1 <= len(draft.givens) <= 3
        for given in draft.givens:
            changed = {draft.answer_with(**{given.id: other}) for other in given.alternatives}
            assert changed - {draft.answer_with()}, f"{given.id} does not matter"


@each_template
def test_nothing_the_teacher_may_say_first_gives_the_answer_away(template: Template) -> None:
    for seed in SEEDS:
        problem = template.make(Random(seed), withhold=3)
        assert problem.gaps
        assert problem.hint
        assert not re.search(r"\d", problem.hint)
        assert not gives_away(problem.hint, problem)
        for gap in problem.gaps:
            assert gap.holder == "teacher"
            assert gap.required
            assert gap.value != problem.verifier.answer
            assert says(gap.text, gap.value)
            assert not gives_away(gap.text, problem)
            assert not says(problem.hint, gap.value)
            assert not says(gap.slot, gap.value)


@each_template
def test_a_withheld_fact_is_absent_from_the_public_text_and_everything_else_is_there(template: Template) -> None:
    for seed in SEEDS:
        full = template.make(Random(seed), withhold=0).public
        for withhold in (1, 2, 3):
            problem = template.make(Random(seed), withhold)
            left = problem.public
            for gap in problem.gaps:
                assert gap.text in full
                assert gap.text not in left
                if gap.value.isdigit():
                    assert not says(left, gap.value)
            assert len(words(left)) + sum(len(words(g.text)) for g in problem.gaps) == len(words(full))


def test_many_templates_of_several_kinds_have_one_idle_number_which_is_never_withheld() -> None:
    """Fails where an idle sentence could be a gap: a student would have to ask for what nobody needs."""
    kinds: Counter[str] = Counter()
    for template in ALL:
        idle = [s for s in template.draft(Random(1)).sentences if isinstance(s, Idle)]
        kinds[template.kind] += len(idle)
        problem = template.make(Random(1), withhold=3)
        assert all(s in problem.public and len(re.findall(r"\d+", s)) == 1 for s in idle) and len(idle) <= 1
    assert kinds.total() >= 30 and sum(count > 0 for count in kinds.values()) == 5


@each_template
def test_withholding_takes_as_many_facts_as_asked_for_and_reaches_every_fact(template: Template) -> None:
    seen: set[str] = set()
    for seed in SEEDS:
        givens = {g.id for g in template.draft(Random(seed)).givens}
        for withhold in range(4):
            problem = template.make(Random(seed), withhold)
            assert len(problem.gaps) == min(withhold, len(givens))
            assert len({g.id for g in problem.gaps}) == len(problem.gaps)
        seen |= {g.id for g in template.make(Random(seed), 1).gaps}
        assert givens >= seen
    assert seen == givens


@each_template
def test_the_public_text_is_short_and_ends_in_the_question(template: Template) -> None:
    for seed in SEEDS:
        for withhold in (0, 3):
            text = template.make(Random(seed), withhold).public
            assert len(text.split()) <= 60
            assert text.endswith("?")
            assert not re.search(r"[{}]|\s\s|\bNone\b|frozenset", text)


@each_template
def test_a_seed_decides_the_whole_problem_and_seeds_differ(template: Template) -> None:
    problems = [template.make(Random(seed), 1) for seed in SEEDS]
    assert problems == [template.make(Random(seed), 1) for seed in SEEDS]
    assert all(Problem.model_validate_json(p.model_dump_json()) == p for p in problems)
    assert len({(p.public, p.verifier.answer) for p in problems}) >= 0.8 * len(problems)


@each_template
def test_no_single_answer_is_right_for_most_draws(template: Template) -> None:
    answers = Counter(template.make(Random(seed), 1).verifier.answer for seed in range(200))
    assert max(answers.values()) <= 120, answers.most_common(2)


def in_other_words(problem: Problem) -> list[str]:
    answer = problem.verifier.answer
    match problem.verifier.kind:
        case "number":
            return [f" {answer}", f"${answer}", f"{answer}.0", f"{answer} of them", f"It is {answer}.", f"{answer}!"]
        case "set":
            elements = answer.split(", ")
            return [", ".join(reversed(elements)), " and ".join(elements), answer.upper(), f"{{{answer}}}"]
        case _:
            return [answer.lower(), answer.upper(), f" {answer}.", f"'{answer}'"]


def wrong_answers(problem: Problem) -> list[str]:
    answer = problem.verifier.answer
    match problem.verifier.kind:
        case "number":
            return [str(int(answer) + 1), str(int(answer) - 1), f"{answer}0", f"{answer} or {int(answer) + 1}"]
        case "date":
            return [str(date.fromisoformat(answer) + timedelta(days=1)), answer[:7]]
        case "set":
            return [answer.split(", ")[0], f"{answer}, Nobody"]
        case _:
            return [c for c in problem.choices if c != answer]


@each_template
def test_the_verifier_takes_the_answer_in_several_forms_and_nothing_else(template: Template) -> None:
    for seed in SEEDS:
        problem = template.make(Random(seed), 1)
        check = problem.verifier.check
        for right in [problem.verifier.answer, *in_other_words(problem)]:
            assert check(right), right
        for wrong in [*wrong_answers(problem), "", "I do not know", *(g.value for g in problem.gaps)]:
            assert not check(wrong), wrong
        assert not check(None)


@each_template
def test_the_solution_tells_the_answer_and_the_format_fits_it(template: Template) -> None:
    problem = template.make(Random(5), 3)
    assert gives_away(problem.solution, problem)
    assert "{" not in problem.solution
    assert problem.steps >= 1
    match problem.verifier.kind:
        case "number":
            assert problem.answer_format == "a number"
            assert 0 < int(problem.verifier.answer) <= 2000
        case "choice":
            assert problem.verifier.answer in problem.choices
            assert problem.answer_format == f"one of: {', '.join(problem.choices)}"
        case "set":
            assert problem.answer_format == "names separated by commas"
        case "date":
            assert date.fromisoformat(problem.verifier.answer)
            assert problem.answer_format == "a date (year-month-day)"
        case "text":
            pytest.fail("a built-in problem is checked by more than its wording")


def pens(price: int, hint: str = "Multiply.") -> Draft:
    return Draft(
        ("Mia buys pens.", Given("price", "the price", price, f"A pen costs {price} dollars."), "She takes 3."),
        "How much does she pay?",
        lambda price: 3 * price,
        hint,
        "It is {answer}.",
    )


@pytest.mark.parametrize(
    ("draft", "clean"),
    [
        (pens(4), True),
        (pens(4, "It is 12."), False),
        (pens(4, "The price is 4."), False),
        (pens(3), False),  # the 3 of the price stands in another sentence too
        (pens(1), False),  # the answer stands in the text
    ],
)
def test_a_draft_whose_words_coincide_is_not_clean(draft: Draft, clean: bool) -> None:
    assert is_clean(draft) is clean


def test_a_template_that_cannot_be_drawn_cleanly_says_so() -> None:
    with pytest.raises(RuntimeError, match="no clean draft"):
        Template("logic", lambda rng: pens(3)).draft(Random(0))
