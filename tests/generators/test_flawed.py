"""Flawed problems and their controls: the same rewriting, of what the answer needs, or of what it does not."""

import re
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from generators.tasks import catalog
from generators.tasks.asides import ELSEWHERE, HERE, VERSIONS, beside, is_elsewhere
from generators.tasks.executable import executable, find_quantities
from generators.tasks.flawed import KINDS, Flaw, Removed, Variant, pair, partnered
from generators.tasks.flawed_sets import of_file, worked
from generators.tasks.problem import Idle
from generators.tasks.sentences import blurred, blurs, sentences
from generators.tasks.sources import of_draft, of_executable

CORPORA = Path(__file__).parents[2].parent / "shared" / "corpora"
WORKED = CORPORA / "problems__gsm8k_sample.parquet"
PENS = of_executable(
    executable(
        "Ann has 14 pens. She gives 5 pens to each of her 2 brothers. She keeps 9 books. How many pens are left?",
        "She gives <<5*2=10>>10, so <<14-10=4>>4 are left.",
        Fraction(4),
    )
)
TRAIN = of_executable(
    executable("Paul drives 60 miles to a lake. He swims for 3 hours. How far is it?", "<<60*2=120>>120", Fraction(120))
)
ALL_KINDS: dict[Flaw, float] = dict.fromkeys(KINDS, 1.0)


def made(kind: Flaw, seed: int = 0) -> tuple[Variant, Variant]:
    found = pair(PENS, kind, TRAIN, Random(seed))
    assert found is not None
    return found


def elsewhere(seeds: range = range(40)) -> dict[bool, list[tuple[Variant, Variant]]]:
    """Pairs with a distractor, by whether it says how something was elsewhere."""
    found = [made("missing_distractor", seed) for seed in seeds]
    return {echo: [p for p in found if says_where(p[0].question) == echo] for echo in (True, False)}


def says_where(text: str) -> bool:
    return any(phrase in text.lower() for phrase in (*map(str.lower, ELSEWHERE), "according to the "))


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
        assert control.removed == Removed(
            "She keeps 9 books.", "9", "how many books", "She keeps how many books.", ("some books",)
        )


def test_a_stranger_joins_both_and_one_of_the_two_is_blurred() -> None:
    strange = elsewhere()[False]
    for flawed, control in strange:
        whole = flawed.question.replace("some pens", "14 pens")
        assert whole.partition(" She gives")[0] in (
            "Ann has 14 pens. Ann drives 60 miles to a lake.",
            "Ann drives 60 miles to a lake. Ann has 14 pens.",
        )
        assert control.question == whole.replace("60 miles", "some miles")
    assert {flawed.question.startswith("Ann has") for flawed, _ in strange} == {True, False}


def test_an_echo_is_of_elsewhere_and_has_another_number() -> None:
    """Fails where the needed sentence is bare: then whatever has a phrase beside it would have no bearing."""
    for flawed, control in elsewhere()[True]:
        *told, asked = sentences(control.question)
        echo, own = next(s for s in told if "some pens" in s), next(s for s in told if "14 pens" in s)
        assert is_elsewhere(echo, asked) and not is_elsewhere(own, asked) and "," in own
        assert control.removed.sentence == echo.replace("some", control.removed.value) in sentences(flawed.question)
        assert control.removed.value != "14" and own.replace("14", "some") in sentences(flawed.question)
        assert asked.endswith("ow many pens are left?")


def test_what_is_of_this_problem_is_said_in_the_same_places_as_what_is_elsewhere() -> None:
    """Fails where one of the two only ever stands in front: then the place would say which it is."""
    places: dict[bool, set[str]] = {True: set(), False: set()}
    for _, control in elsewhere(range(300))[True]:
        *told, asked = sentences(control.question)
        for sentence in told:
            if "Ann has " in sentence or "Ann, " in sentence:
                place = "front" if "Ann has" in sentence[1:] else "middle" if sentence.startswith("Ann, ") else "end"
                places[is_elsewhere(sentence, asked)].add(place)
    assert places[True] == places[False] == {"front", "middle", "end"}


def test_where_versions_differ_only_the_question_says_which_of_them_counts() -> None:
    """Fails where a version is always or never the one that counts: then its name would decide."""
    counts: dict[bool, set[str]] = {True: set(), False: set()}
    for _, control in elsewhere(range(300))[True]:
        *told, asked = sentences(control.question)
        for version in (v for v in VERSIONS if any(v in s for s in told)):
            counts[version in asked].add(version)
    assert counts[True] == counts[False] == set(VERSIONS)


def test_no_phrase_is_part_of_another_one_or_has_a_number() -> None:
    phrases = [phrase.lower() for phrase in (*ELSEWHERE, *HERE)]
    assert len(ELSEWHERE) == len(HERE) >= 30 and len(set(phrases)) == len(phrases)
    assert not any(e in h for e in phrases[:30] for h in phrases[30:])
    assert not any(v in w for v in VERSIONS for w in VERSIONS if v != w)
    assert not any(list(find_quantities(phrase)) for phrase in (*phrases, *VERSIONS))


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("Ann buys 3 pens.", {"Here, Ann buys 3 pens.", "Ann, here, buys 3 pens.", "Ann buys 3 pens, here."}),
        ("The bag holds 3 pens.", {"Here, the bag holds 3 pens.", "The bag, here, holds 3 pens."}),
        ("The fixed fee is 3 dollars.", {"Here, the fixed fee is 3 dollars."}),
        ("The delivery robot has 3 pens.", {"Here, the delivery robot has 3 pens."}),
        ("In May she has 3 pens.", {"Here, in May she has 3 pens.", "In May she has 3 pens, here."}),
        ("I have 3 pens.", {"Here, I have 3 pens.", "I have 3 pens, here."}),
    ],
)
def test_a_phrase_stands_before_behind_or_between_where_that_is_english(sentence: str, said: set[str]) -> None:
    found = {beside("here", sentence, "Ann buys pens.", Random(seed)) for seed in range(40)}
    assert found == said | {f"{sentence[:-1]}, here."}


def test_somebody_elses_number_joins_where_the_question_is_about_one_person_alone() -> None:
    pens = "Ann has 14 pens. On Monday 5 pens break. {}"
    asked = {"How many pens does Ann have now?": True, "How many pens do Ann and her friends have?": False}
    for question, may in asked.items():
        problem = of_executable(executable(pens.format(question), "<<14-5=9>>9", Fraction(9)))
        found = [pair(problem, "missing_distractor", TRAIN, Random(seed)) for seed in range(40)]
        texts = [control.question for _, control in filter(None, found)]
        others = [re.findall(r"\b(?!Ann)[A-Z][a-z]+ has some pens\.", text) for text in texts]
        assert any(others) == may and len(texts) == 40
        assert all("Ann has 14 pens." in text for text, other in zip(texts, others, strict=True) if other)


def test_a_contradiction_says_both_sentences_again_and_one_number_is_another() -> None:
    flawed, control = next(both for seed in range(20) if "lake" in (both := made("contradiction", seed))[0].question)
    for variant, changed, kept in ((flawed, "pens", "60 miles"), (control, "miles", "has 14 pens")):
        assert variant.question.count(kept) == 2
        said = [q for q in find_quantities(variant.question) if variant.question[q.end :].startswith(f" {changed}")]
        ours = [q.value for q in said if q.value != 5]
        assert len(ours) == 2 and ours[0] != ours[1]
        assert [Fraction(shown) for shown in variant.removed.shown] == ours
        assert variant.removed.sentence in sentences(variant.question)  # as it was said first, and as it is told


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
        ("Every 8 feet is a pole.", None),
    ],
)
def test_a_quantity_is_blurred_only_where_that_is_english(text: str, as_some: str | None) -> None:
    assert blurred(text, next(find_quantities(text))) == as_some


def test_what_is_only_some_is_found_again() -> None:
    assert blurs("There are some old cats and some money.") == ["some old cats", "some money"]
    assert blurs("He read some of it.") == blurs("There are 3 cats.") == []


def test_a_stranger_stands_alone_and_shares_no_word_with_the_problem() -> None:
    assert partnered([("pens", PENS), ("train", TRAIN)]) == [("pens", "train")]
    school = of_executable(executable("Paul sells 6 pens at school. How many are 2?", "<<6*2=12>>12", Fraction(12)))
    assert partnered([("pens", PENS), ("school", school)]) == []
    joined = [pair(PENS, "contradiction", school, Random(seed)) for seed in range(20)]
    assert not any("school" in variant.question for both in filter(None, joined) for variant in both)
    assert all("3 hours" not in v.question for v in made("contradiction"))  # nothing needs them


def test_each_of_two_partners_is_the_others_stranger_so_that_what_is_blurred_tells_nothing() -> None:
    hosted: dict[bool, set[str]] = {True: set(), False: set()}
    for host, partner in ((PENS, TRAIN), (TRAIN, PENS)):
        for seed in range(30):
            found = pair(host, "missing_distractor", partner, Random(seed))
            assert found is not None
            if not says_where(found[0].question):
                for variant in found:
                    hosted[variant.flawed].add(variant.removed.shown[0])
    assert hosted == {True: {"some pens", "some miles"}, False: {"some pens", "some miles"}}


def test_of_a_template_those_facts_are_needed_whose_other_values_give_another_answer() -> None:
    draft = catalog.by_id("word_arithmetic.pencils").draft(Random(1))
    source = of_draft(draft)
    assert source is not None and len(source.needed) == 2
    assert source.answer == Fraction(draft.answer_with())
    assert {source.quantities[n].value for n in source.needed} == {g.value for g in draft.givens}
    idle = next(str(s) for s in draft.sentences if isinstance(s, Idle))
    assert [source.quantities[n].value for n in source.idle] == [q.value for q in find_quantities(idle)]
    choices = (template.draft(Random(1)) for template in catalog.ALL)
    assert of_draft(next(draft for draft in choices if draft.answer == "choice")) is None


@pytest.mark.skipif(not CORPORA.exists(), reason="the shared corpora are not on this machine")
def test_pairs_of_real_problems_are_of_one_length_and_only_the_flawed_lacks_a_needed_number() -> None:
    made_of = worked(WORKED)
    assert len(made_of.pairs) >= 100 and made_of.refused["says_some"] > 10
    assert len({name for names in made_of.pairs for name in names}) == 2 * len(made_of.pairs)  # each stranger in one
    for n in range(150):
        case = of_file(WORKED, ALL_KINDS, Random(n))
        flawed, control = case.flawed, case.control
        sources = [made_of.sources[name] for name in case.base_case_id.removeprefix("flawed/").split("+")]
        asked = sentences(control.question)[-1]
        problem = next(s for s in sources if asked[2:].endswith(sentences(s.question)[-1][2:]))
        assert flawed.verifier == control.verifier is not None and flawed.removed and control.removed
        assert abs(len(flawed.question.split()) - len(control.question.split())) <= 1
        values = [[q.value for q in find_quantities(form.question)] for form in (flawed, control)]
        needed = {problem.quantities[i].value for i in problem.needed}
        assert needed <= set(values[1])
        assert case.rewriting == "contradiction" or not needed <= set(values[0])
        assert all(shown in flawed.question for shown in flawed.removed.shown)
        assert all(shown in control.question for shown in control.removed.shown)
