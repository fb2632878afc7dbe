"""Facts that a problem seems to lack and that nobody needs: asking for one brings nothing."""

from random import Random

from generators.tasks.problem import Problem, mentions
from schemas.scenario import Fact, Value


class Distractor(Value):
    """`mention` shows in the problem that something is left out; the rest is the fact, as of a `Given`."""

    id: str
    mention: str
    slot: str
    value: str
    text: str


DISTRACTORS = tuple(
    Distractor(id=f"beside/{name}", mention=mention, slot=slot, value=value, text=text)
    for name, mention, slot, value, text in (
        (
            "title",
            "The title is cut off.",
            "the title of the page",
            "Rainy Days",
            "It is called Rainy Days.",
        ),
        ("cover", "The cover is not shown here.", "the colour of the cover", "dark grey", "The cover is dark grey."),
        ("author", "The author's name is smudged.", "the name of the author", "Odile", "The author is called Odile."),
        ("school", "A school sent it in.", "the name of the school", "Lindenhof", "The school is called Lindenhof."),
        (
            "drawing",
            "The drawing is not printed.",
            "what the drawing shows",
            "otter",
            "It shows a sleeping otter.",
        ),
        (
            "song",
            "A song goes with this.",
            "the name of the song",
            "Paper Boats",
            "The song is called Paper Boats.",
        ),
        ("town", "The town is not printed.", "the name of the town", "Varnby", "The town is called Varnby."),
        ("sky", "Nothing is said about the sky.", "what the sky looks like", "hazy", "The sky looks hazy."),
    )
)


def with_distractor(problem: Problem, rng: Random, holder: str = "teacher") -> Problem:
    """A problem that lacks only what nobody needs."""
    texts = " ".join([problem.public, problem.hint, problem.solution, *problem.choices])
    able = [d for d in DISTRACTORS if not mentions(texts, d.value) and not _answers(d, problem)]
    drawn = rng.choice(able)
    fact = Fact(id=drawn.id, holder=holder, slot=drawn.slot, value=drawn.value, text=drawn.text, required=False)
    return problem.model_copy(update={"public": f"{drawn.mention} {problem.public}", "gaps": (*problem.gaps, fact)})


def _answers(distractor: Distractor, problem: Problem) -> bool:
    said = f"{distractor.mention} {distractor.text}"
    return mentions(said, problem.verifier.answer, problem.verifier.kind)
