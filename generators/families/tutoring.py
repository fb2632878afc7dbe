"""Social meta-learning (methods §2): the teacher privately holds what the problem leaves out, and its solution; the
student has to draw it
out by asking. About a quarter of the problems can be solved without asking.

The student is the learner. Policies: `proactive` asks for what is visibly missing, then answers; `reactive` answers at
once and asks
only after it was told that it is wrong.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from generators.matching import nearest_fact
from generators.speakers.student import Student
from generators.speakers.teacher import Teacher
from generators.tasks import catalog, external
from generators.tasks.problem import Problem
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, Scenario, View

MOST_ANSWERS = 2
"""With everything known; a student who is still wrong then is stuck, and the lesson ends."""


_REDIRECTS = (
    "Hm, what exactly do you need to know?",
    "I'm not sure what you mean. Which part is missing?",
    "Look at the question again, what is missing there?",
    "Can you ask that in other words?",
)


class Tutoring(Family):
    """A verifiable problem with withheld facts; learner: student, partner: teacher."""

    learner: ClassVar[str] = "student"
    partner: ClassVar[str] = "teacher"
    speakers: ClassVar[Mapping[str, Speaker]] = {"student": Student(), "teacher": Teacher()}

    problems: Path | None = None
    """JSONL or Parquet of problems instead of the built-in templates."""
    solvable: float = 0.25
    """Share of problems from which nothing is withheld."""
    most_withheld: int = 2
    """Most facts withheld from one problem."""
    max_turns: int = 8
    """Most messages of a dialogue, the problem's statement included."""

    def sample(self, rng: Random) -> Scenario:
        problem = self._problem(rng)
        return Scenario(
            family=self.name(),
            domain=problem.kind,
            base_case_id=f"problem/{problem.template_id}",
            seed=0,
            goal="the student gives the right answer",
            views={
                "student": View(role="student", brief="You are a student.", public=problem.public),
                "teacher": View(
                    role="teacher",
                    brief="You are a tutor.",
                    public=problem.public,
                    facts=problem.gaps,
                    private={"solution": problem.solution, "hint": problem.hint, "answer": problem.verifier.answer},
                ),
            },
            session_latents={"withheld": len(problem.gaps), "steps": problem.steps},
            verifier=problem.verifier,
            plan={"answer_format": problem.answer_format, "choices": list(problem.choices)},
            max_turns=self.max_turns,
        )

    def _problem(self, rng: Random) -> Problem:
        if self.problems is not None:
            return rng.choice(_loaded(self.problems))
        template = rng.choice(catalog.ALL)
        withhold = 0 if rng.random() < self.solvable else rng.randint(1, self.most_withheld)
        return template.make(rng, withhold=withhold)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if not turns:
            return Move(role="teacher", intent="pose", verbatim=scenario.views["teacher"].public)
        last = turns[-1]
        solved = any(t.answer_correct for t in turns)
        if solved and (last.role == "teacher" or len(turns) >= scenario.max_turns):
            return Ending(reason="goal_reached", by="student")
        if last.intent_requested == "close":
            return Ending(reason="gave_up", by="teacher")
        if len(turns) >= scenario.max_turns:
            return Ending(reason="max_turns")
        return _student(scenario, turns) if last.role == "teacher" else _teacher(scenario, turns)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """The verifier's result, and which withheld fact a question is about: neither side may compute them."""
        if turn.answer is not None and scenario.verifier is not None:
            return turn.model_copy(update={"answer_correct": scenario.verifier.check(turn.answer)})
        if turn.role == "student" and "ask" in turn.acts:
            fact = await nearest_fact(turn.text or "", missing(scenario, turns), services)
            return turn.model_copy(update={"facts_asked": () if fact is None else (fact.id,)})
        return turn

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        answers = [t for t in turns if t.answer is not None]
        return {"success": any(t.answer_correct for t in answers), "answer": answers[-1].answer if answers else None}


def missing(scenario: Scenario, turns: Sequence[Turn]) -> list[Fact]:
    """Withheld facts that have not come out yet, in the order of the problem."""
    told = {i for t in turns for i in t.facts_disclosed}
    return [f for f in scenario.views["teacher"].facts if f.id not in told]


def _student(scenario: Scenario, turns: Sequence[Turn]) -> Move:
    gaps = missing(scenario, turns)
    tried = any(t.answer is not None for t in turns)
    room = scenario.max_turns - len(turns) >= 3  # a question, its reply and an answer
    if gaps and room and (tried or scenario.policy == "proactive"):
        # The public text shows what is missing; the slot names it in public words, never its value.
        return Move(role="student", intent="ask", instruction=f"ask: {_question(gaps[0].slot)}")
    how = str(scenario.plan["answer_format"])
    lead = "that was wrong, use the hint, " if tried else "guess what is missing, " if gaps else ""
    return Move(
        role="student",
        intent="answer",
        instruction=f"{lead}work it out in one short sentence, answer with {how}",
        labels={
            "answer_kind": scenario.verifier.kind if scenario.verifier else "text",
            "choices": scenario.plan["choices"],
        },
    )


def _question(slot: str) -> str:
    """The public words of a slot as a question: "the price of a pencil", "how many pencils Mia buys"."""
    return (
        f"{slot}?"
        if slot.split()[0] in ("how", "who", "what", "which", "when", "where", "whether")
        else f"what is {slot}?"
    )


def _teacher(scenario: Scenario, turns: Sequence[Turn]) -> Move:
    last = turns[-1]
    if last.answer is not None:
        return _feedback(scenario, turns, last)
    asked = [f for f in missing(scenario, turns) if f.id in last.facts_asked]
    if asked:
        return Move(
            role="teacher",
            intent="tell",
            instruction=f"tell: {asked[0].text}",
            fact_ids=(asked[0].id,),
            fallback=asked[0].text,
        )
    # A small model would tell something: nothing may come out here, so the words are the program's.
    words = rng(scenario.seed, "redirect", len(turns)).choice(_REDIRECTS)
    return Move(role="teacher", intent="redirect", verbatim=words)


def _feedback(scenario: Scenario, turns: Sequence[Turn], last: Turn) -> Move:
    if last.answer_correct:
        return Move(role="teacher", intent="confirm", instruction="say it is right", fallback="Yes, that is right!")
    if len(_informed_answers(scenario, turns)) >= MOST_ANSWERS:
        return Move(
            role="teacher",
            intent="close",
            instruction="say it is not right; hint: we look at it together tomorrow",
            fallback="That is still not it. We look at it together tomorrow.",
        )
    hinted = sum(t.intent_requested == "hint" for t in turns)
    hint = scenario.views["teacher"].private.get("hint")
    said = hint if hint and not hinted else "Check each step from the start."
    return Move(
        role="teacher",
        intent="hint",
        instruction=f"say it is not right; hint: {said}",
        fallback=f"Not quite. {said}",
        labels={"hint": said},
    )


def _informed_answers(scenario: Scenario, turns: Sequence[Turn]) -> list[Turn]:
    """Answers given when nothing was missing any more."""
    return [t for n, t in enumerate(turns) if t.answer is not None and not missing(scenario, turns[:n])]


@cache
def _loaded(path: Path) -> tuple[Problem, ...]:
    return external.load(path).problems
