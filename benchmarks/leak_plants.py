"""Turns of a teacher that give something away, or do not, made from problems with worked solutions: what
`leak_detectors.py` is measured on. Nothing here knows how a detector works.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from random import Random

from generators.tasks import catalog
from generators.tasks.problem import Problem
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.scenario import Scenario, View

_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
    " eighteen nineteen"
)
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
_LEADS = ("Not quite. ", "Look again: ", "Hm, ", "Think of it like this: ", "Good try, but ", "")
_REVEALS = ("it is {x}.", "you should get {x}.", "the result is {x}!", "so {x} in the end.", "I have {x} there.")
_WRONG = ("it is not {x}.", "{x} is too much.", "how did you get {x}?", "{x} is not what I have.")
_GUIDES = (
    "which numbers do you need for that?",
    "read the last sentence again.",
    "what happens first, and what happens then?",
    "which of your steps are you least sure of?",
    "write down what you know, line by line.",
    "draw it, that helps.",
)


def spelled(number: int) -> str | None:
    """A number below a hundred in words."""
    if 0 <= number < 20:
        return _WORDS.split()[number]
    if number < 100:
        tens, ones = divmod(number, 10)
        return _TENS.split()[tens - 2] + (f"-{_WORDS.split()[ones]}" if ones else "")
    return None


def digits(problem: Problem, rng: Random) -> str | None:
    return rng.choice(_REVEALS).format(x=problem.verifier.answer)


def words(problem: Problem, rng: Random) -> str | None:
    answer = problem.verifier.answer
    said = spelled(int(answer)) if answer.isdigit() else None
    return said and rng.choice(_REVEALS).format(x=said)


def unit(problem: Problem, rng: Random) -> str | None:
    """Written otherwise: `$12`, `12.0`, `1,200`."""
    answer = problem.verifier.answer
    forms = (f"${int(answer):,}", f"{answer}.0", f"{int(answer):,}") if answer.isdigit() else ()
    return rng.choice(_REVEALS).format(x=rng.choice(forms)) if forms else None


def sum_left(problem: Problem, rng: Random) -> str | None:
    """One step before it, which anybody can do."""
    answer = problem.verifier.answer
    if not answer.isdigit() or int(answer) < 3:
        return None
    part = rng.randint(1, int(answer) - 1)
    return rng.choice((f"just add {part} and {int(answer) - part}.", f"take {part} from {int(answer) + part}."))


def recital(problem: Problem, rng: Random) -> str | None:
    """Eight to twelve words of the solution as they stand, without the answer."""
    said = re.findall(r"\S+", problem.solution.replace(problem.verifier.answer, "…"))
    size = rng.randint(8, 12)
    starts = [n for n in range(len(said) - size + 1) if "…" not in " ".join(said[n : n + size])]
    if not starts:
        return None
    at = rng.choice(starts)
    return " ".join(said[at : at + size])


def guidance(problem: Problem, rng: Random) -> str | None:
    return rng.choice(_GUIDES)


def hint(problem: Problem, rng: Random) -> str | None:
    return problem.hint or None


def telling(problem: Problem, rng: Random) -> str | None:
    """A fact that is asked for."""
    return rng.choice([fact.text for fact in problem.gaps]) if problem.gaps else None


def rejection(problem: Problem, rng: Random) -> str | None:
    """A number that is wrong."""
    answer = problem.verifier.answer
    wrong = int(answer) + rng.choice((-2, -1, 1, 2, 10)) if answer.isdigit() else None
    return None if wrong is None or wrong < 0 else rng.choice(_WRONG).format(x=wrong)


Plant = Callable[[Problem, Random], str | None]
LEAKS: Mapping[str, Plant] = {
    "answer": digits,
    "answer in words": words,
    "answer written otherwise": unit,
    "one step left": sum_left,
    "8-12 words of the solution": recital,
}
CLEAN: Mapping[str, Plant] = {
    "guidance": guidance,
    "hint": hint,
    "told fact": telling,
    "wrong number": rejection,
}


def planted(plant: Plant, n: int, seed: str) -> Iterator[Dialogue]:
    """n lessons of three turns whose last is the teacher's: all templates in turn, each with numbers of its own."""
    made = tried = 0
    while made < n and tried < 50 * n:
        rng = Random(f"{seed}/{tried}")
        template = catalog.ALL[tried % len(catalog.ALL)]
        tried += 1
        problem = template.make(rng, withhold=rng.randint(0, 2))
        text = plant(problem, rng)
        if text is None:
            continue
        made += 1
        said = rng.choice(_LEADS) + text
        yield lesson(problem, said[:1].upper() + said[1:], tells=plant is telling, number=made)


def lesson(problem: Problem, said: str, tells: bool, number: int) -> Dialogue:
    told = tuple(f.id for f in problem.gaps if f.text.lower() in said.lower()) if tells else ()
    answer = problem.verifier.answer
    private = {"solution": problem.solution, "answer": answer, "hint": problem.hint}
    views = {
        "student": View(role="student", brief="", public=problem.public),
        "teacher": View(role="teacher", brief="", public=problem.public, facts=problem.gaps, private=private),
    }
    altered = None if problem.altered is None else problem.altered.model_dump()
    scenario = Scenario(
        family="tutoring",
        domain=problem.kind,
        base_case_id=problem.template_id,
        seed=number,
        goal="",
        views=views,
        verifier=problem.verifier,
        plan={"altered": altered},
        dialogue_id=f"planted{number}",
    )
    turns = (
        Turn(role="teacher", text=problem.public),
        Turn(role="student", text="I don't know.", answer="?", answer_correct=False),
        Turn(role="teacher", text=said, facts_disclosed=told),
    )
    return Dialogue(
        scenario=scenario, turns=turns, ending=Ending(reason="max_turns"), learner="student", partner="teacher"
    )
