"""Social meta-learning (methods §2): the teacher privately holds what the problem leaves out, and its solution; the
student has to draw it out by asking. In cells of their own nothing needed is missing, the teacher does not want to be
asked, or nobody has what is missing.

The student is the learner. Policies: `proactive` asks for what is visibly missing, then answers; `reactive` answers at
once and asks only after it was told that it is wrong; `privileged` knows what the teacher has and what it welcomes.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from random import Random
from typing import Any, ClassVar

from pydantic import Field

from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.session import Cell, SessionLatents, draw_session
from generators.priming import primed
from generators.speakers.chat_user import TYPING
from generators.speakers.external import FREE
from generators.speakers.student import Student
from generators.speakers.teacher import Teacher
from generators.tasks import catalog, external
from generators.tasks.answers import read_answer
from generators.tasks.distractors import with_distractor
from generators.tasks.misconceptions import KINDS, Misconception, MisconceptionKind, drawn
from generators.tasks.problem import AnswerKind, Problem
from generators.teaching import PROBES, Lesson, asked, moved, teacher_move, typing_of
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.scenario import Fact, Scenario, Verifier, View

CELLS: Mapping[Cell, float] = {
    "needed": 0.42,
    "given": 0.25,
    "useless": 0.07,
    "hurry": 0.08,
    "refuses": 0.08,
    "impossible": 0.10,
}
"""given: nothing is withheld; useless: only what nobody needs; hurry: the teacher has time for one question; refuses:
it answers none before the student has tried; impossible: it lacks something needed, too.
"""
NO_ANSWER = Verifier(kind="text", answer="it cannot be known")
"""Of the cell impossible: whatever is guessed is wrong."""

_TRIED = (
    "I tried. Can you tell me {slot} now?",
    "That was my try. Will you tell me {slot}?",
    "Now that I tried, could you tell me {slot}?",
    "So I had a go at it. Can I know {slot} now?",
)
_STOPS = (
    "Without {slot} this cannot be worked out, so I won't guess.",
    "Nobody can tell without {slot}, so I leave it open.",
)


@cache
def _fitted() -> FittedLatents:
    return committed("small_talk_latents")


class Tutoring(Family):
    """A verifiable problem with withheld facts; learner: student, partner: teacher."""

    learner: ClassVar[str] = "student"
    partner: ClassVar[str] = "teacher"
    speakers: ClassVar[Mapping[str, Speaker]] = {"student": Student(), "teacher": Teacher()}

    problems: Path | None = None
    """JSONL or Parquet of problems instead of the built-in templates; all are of the cell `given`."""
    latents: Latents = Field(default_factory=_fitted)
    """What teachers are drawn from: the path of a file that `overture fit` wrote. Default: that of small talk."""
    cells: dict[Cell, float] = Field(default_factory=lambda: dict(CELLS))
    """How often asking is needed, needless, unwelcome or hopeless, by weight."""
    most_withheld: int = Field(default=2, ge=1)
    """Most facts withheld from one problem."""
    misconceptions: float = Field(default=0.3, ge=0, le=1)
    """How many students hold a misconception, of those whose problem allows one."""
    misconception_kinds: dict[MisconceptionKind, float] = Field(default_factory=lambda: dict(KINDS))
    """By weight, of those that the problem allows."""
    substitution: float = Field(default=0.0, ge=0, le=1)
    """Q-priming: a reactive student's wrong answer in student turn t is replaced by a question with probability
    substitution^t; the method's is .75. Such dialogues are no samples of a policy (`generators.priming`).
    """
    max_turns: int = 8
    """Most messages of a dialogue, the problem's statement included."""

    def sample(self, rng: Random) -> Scenario:
        session, problem = self._case(rng)
        known = session.cell != "impossible"
        private = {"solution": problem.solution, "answer": problem.verifier.answer} if known else {}
        typing = typing_of(session.person).model_dump_json()
        needed = [fact for fact in problem.gaps if fact.required]
        taken = drawn(problem.misconceptions, self.misconception_kinds, rng)
        wrongly = taken.model_dump() if taken and known and rng.random() < self.misconceptions else None
        lesson = {"withheld": len(needed), "steps": problem.steps, "misconception": wrongly}
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
                    private={**private, "hint": problem.hint, TYPING: typing},
                ),
            },
            session_latents=session.label() | lesson | {"probes": rng.random() < PROBES},
            verifier=problem.verifier if known else NO_ANSWER,
            plan={
                "answer_format": problem.answer_format,
                "answer_kind": problem.verifier.kind,
                "choices": list(problem.choices),
                "altered": problem.altered.model_dump() if known and problem.altered else None,
            },
            max_turns=self.max_turns,
        )

    def another(self, case: Callable[[], Random], rng: Random) -> Scenario | None:
        """The same problem with another teacher; in some cells it would lack more, or less."""
        other = self.sample(rng).session_latents
        same = self.model_copy(update={"cells": {other["cell"]: 1.0}}).sample(case())
        person = {name: other[name] for name in SessionLatents.model_fields if name != "background"}
        return same.model_copy(update={"session_latents": same.session_latents | person})

    def _case(self, rng: Random) -> tuple[SessionLatents, Problem]:
        """A teacher and a problem."""
        if self.problems is not None:
            problem = rng.choice(_loaded(self.problems))
            return draw_session(rng, self.latents, _background(problem.kind), {"given": 1.0}), problem
        template = rng.choice(catalog.ALL)
        session = draw_session(rng, self.latents, _background(template.kind), self.cells)
        complete = session.cell in ("given", "useless")
        problem = template.make(rng, withhold=0 if complete else rng.randint(1, self.most_withheld))
        if session.cell == "useless":
            problem = with_distractor(problem, rng)
        if session.cell == "impossible":
            nobodys = rng.choice(problem.gaps).id
            gaps = (f.model_copy(update={"disclose": "never"}) if f.id == nobodys else f for f in problem.gaps)
            problem = problem.model_copy(update={"gaps": tuple(gaps)})
        return session, problem

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if not turns:
            return Move(role="teacher", intent="pose", verbatim=scenario.views["teacher"].public)
        last = turns[-1]
        solved = any(t.answer_correct for t in turns)
        if solved and (last.role == "teacher" or len(turns) >= scenario.max_turns):
            return Ending(reason="goal_reached", by="student")
        if last.intent_requested == "close":
            return Ending(reason="gave_up", by="teacher")
        if last.intent_requested == "stop":
            return Ending(reason="closed_by_learner", by="student")
        if len(turns) >= scenario.max_turns:
            return Ending(reason="max_turns")
        lesson = Lesson.of(scenario, turns)
        return _student(lesson) if last.role == "teacher" else teacher_move(lesson)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """The verifier's result, and which withheld facts a question is about: neither side may compute them. Of a
        free student, its answer, too; of a teacher, what kind of teaching it is.
        """
        if turn.role == "teacher" and turns:
            return turn.model_copy(update={"labels": turn.labels | {"teacher_move": moved(turn)}})
        if turn.role == "student" and turn.intent_requested == FREE:
            turn = _read(turn, scenario.plan["answer_kind"], scenario.plan["choices"])
        if turn.role == "student" and scenario.policy == "privileged":
            seen = turn.intent_requested == "ask" or not _needed(Lesson.of(scenario, turns))
            turn = turn.model_copy(update={"labels": turn.labels | {"clairvoyant": not seen}})
        if turn.answer is not None and scenario.verifier is not None:
            checked = await services.verify(scenario.verifier, turn.answer, len(turns))
            labels = turn.labels | {"verdict": checked.reason}
            turn = turn.model_copy(update={"answer_correct": checked.correct, "labels": labels})
            may = self.substitution > 0 and scenario.policy == "reactive" and not checked.correct
            return await primed(Lesson.of(scenario, turns), turn, self.substitution, services) if may else turn
        if turn.role == "student" and "ask" in turn.acts:
            found = await asked(Lesson.of(scenario, turns), turn.text or "", services)
            return turn.model_copy(update={"facts_asked": found})
        return turn

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        lesson = Lesson.of(scenario, turns)
        answers = [t for t in turns if t.answer is not None]
        return {
            "success": any(t.answer_correct for t in answers),
            "answer": answers[-1].answer if answers else None,
            "abstained": not answers and ending.reason != "fault",
            "cell": lesson.session.cell,
            "initiative": lesson.session.initiative,
            "misconception": next((t.labels["misconception"] for t in turns if "misconception" in t.labels), None),
            "questions": sum(t.role == "student" and "ask" in t.acts for t in turns),
            "patience_spent": lesson.spent,
        }


def _student(lesson: Lesson) -> Move:
    scenario = lesson.scenario
    how = str(scenario.plan["answer_format"])
    if scenario.policy == "external":
        program = scenario.plan["answer_kind"] == "python"
        written = "write it between ``` and ```" if program else f'write "Answer:" and {how}'
        said = f"Once you know the answer, {written}."
        return Move(role="student", intent=FREE, instruction=said)
    room = scenario.max_turns - len(lesson.turns) >= 3  # a question, its reply and an answer
    if lesson.turns[-1].intent_requested == "probe":
        return _explaining(lesson)
    if scenario.policy == "privileged":
        return _privileged(lesson, room)
    asks = (lesson.tried or scenario.policy == "proactive") and not lesson.discouraged
    if lesson.open and room and asks:
        return _asking(lesson, lesson.open[0])
    if taken := lesson.misconception:
        return _by_misconception(taken, scenario.plan["answer_kind"])
    guess = "guess what is missing, " if _needed(lesson) else ""
    lead = "that was wrong, use the hint, " if lesson.tried else guess
    said = f"{lead}work it out in one short sentence, answer with {how}"
    return _answering(said, scenario.plan["answer_kind"], scenario.plan["choices"])


def _privileged(lesson: Lesson, room: bool) -> Move:
    """Asks where that helps and is welcome, stops where nobody can know, else gives the right answer, which no small
    model finds every time: it is the only one its schema allows.
    """
    needed = _needed(lesson)
    nobodys = next((fact.slot for fact in needed if fact.disclose == "never"), None)
    if nobodys:
        return Move(role="student", intent="stop", verbatim=lesson.drawn("stop", _STOPS).format(slot=nobodys))
    if needed and room and lesson.session.initiative != "unwelcome":
        return _asking(lesson, needed[0])
    right = lesson.view.private["answer"]
    kind = lesson.scenario.plan["answer_kind"]
    why, this = ("how it works", "the program") if kind == "python" else (f"why it is {right}", right)
    return _answering(f"say in one short sentence {why}, answer with {this}", kind, [right])


def _by_misconception(taken: Misconception, kind: AnswerKind) -> Move:
    """The only answer its schema allows; the model finds the working that leads there."""
    said = f"say in one short sentence how you got {taken.answer}, answer with {taken.answer}"
    move = _answering(said, kind, [taken.answer])
    return move.model_copy(update={"labels": move.labels | {"misconception": taken.kind}})


def _explaining(lesson: Lesson) -> Move:
    """What it answered, in other words: the next answer comes after a hint."""
    last = next(t.answer for t in reversed(lesson.turns) if t.answer is not None)
    this = "what your program does" if lesson.scenario.plan["answer_kind"] == "python" else f"how you got {last}"
    return Move(role="student", intent="explain", instruction=f"say in one short sentence {this}")


def _needed(lesson: Lesson) -> list[Fact]:
    """What has not come out and the answer takes."""
    return [fact for fact in lesson.missing if fact.required]


def _answering(instruction: str, kind: AnswerKind, choices: Sequence[str]) -> Move:
    labels = {"answer_kind": kind, "choices": choices}
    return Move(role="student", intent="answer", instruction=instruction, labels=labels)


def _read(turn: Turn, kind: AnswerKind, choices: Sequence[str]) -> Turn:
    """What somebody who plays freely answered, if it is plain; a message without an answer may be a question."""
    answer = read_answer(turn.text or "", kind, choices)
    if answer is None:
        asks = "ask" in turn.acts
        return turn.model_copy(update={"intent_detected": "ask" if asks else "say"})
    return turn.model_copy(update={"answer": answer, "acts": ("answer",), "intent_detected": "answer"})


def _asking(lesson: Lesson, fact: Fact) -> Move:
    """The public text shows what is missing; the slot names it in public words, never its value. Who was not answered
    asks in other words; after a refusal in the program's, since a small model sends its first message again.
    """
    slot = fact.slot
    unanswered = [t.intent_requested for t in lesson.turns if t.intent_requested in ("refuse", "redirect")]
    if unanswered[-1:] == ["refuse"]:
        return Move(role="student", intent="ask", verbatim=lesson.drawn("tried", _TRIED).format(slot=slot))
    again = (_question(slot), f"can you tell me {slot}?", f"i still need to know {slot}, what is it?")
    return Move(role="student", intent="ask", instruction=f"ask: {again[min(len(unanswered), 2)]}")


def _question(slot: str) -> str:
    """The public words of a slot as a question: "the price of a pencil", "how many pencils Mia buys"."""
    return (
        f"{slot}?"
        if slot.split()[0] in ("how", "who", "what", "which", "when", "where", "whether")
        else f"what is {slot}?"
    )


def _background(kind: str) -> str:
    return f"teaches {kind.replace('_', ' ')}"


@cache
def _loaded(path: Path) -> tuple[Problem, ...]:
    return external.load(path).problems
