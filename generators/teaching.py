"""The program of a teacher: what is told, refused or held back follows from scenario and turns alone."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

from generators.asked import facts_asked
from generators.latents.fitted import Person
from generators.latents.session import SessionLatents
from generators.ledger import Due, due, told
from generators.noise.typing import TypingStyle
from generators.tasks.misconceptions import Misconception
from generators.teacher_moves import INTENTS, TeacherMove, by_words
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, Scenario, View

MOST_ANSWERS = 2
"""With everything known that can be; a student who is still wrong then is stuck, and the lesson ends."""

PROBES = 0.45
"""How many teachers look at a wrong solution before they hint: probing / (probing + focus) of MathDial's turns right
after a wrong one, train split, n = 277 (`benchmarks/teacher_moves.py`).
"""
_PROBED = 4
"""Messages a probe takes: itself, the explanation, a hint and the next answer."""
_CORRECTED = 3
"""Messages a misconception takes: the wrong answer, a hint and the next answer."""

METHOD = "method"
"""What a question is `about` that asks for no fact but how to go on."""

_REDIRECTS = (
    "Hm, what exactly do you need to know?",
    "I'm not sure what you mean. Which part is missing?",
    "Look at the question again, what is missing there?",
    "Can you ask that in other words?",
)
_TRY_FIRST = ("Try it first, then we talk about it.", "First show me what you would say.", "No questions yet, try it.")
_REPEATED = ("I already told you that, look above.", "We had that already, read it again.", "I said that before.")
_NOT_HAD = (
    "I don't have that either.",
    "My notes don't say that either.",
    "I'm missing that, too.",
)
_NUMBER_NOT_HAD = ("I don't have that number either.", "That number is not in my notes either.")
_PARTLY = "One thing at a time."
_REST_NOT_HAD = "The rest is not in my notes."
_HURRY = "I only have time for this one."
_IMPATIENT = ("Let's stop here and go on tomorrow.", "That's enough for today, we go on tomorrow.")
_IN_A_HURRY = ("I have to go now, we go on tomorrow.", "No time for more, I have to leave.")
_STUCK = (
    "That is still not it. We look at it together tomorrow.",
    "No, not this time. Let's do it together tomorrow.",
    "It's not that either. We go through it tomorrow.",
)
_YES = ("Yes, that is right!", "Right, nice work!", "Yes, you have it!", "Correct, well done!", "That's it, good job!")
_WRONG = ("Not quite.", "Hm, not yet.", "That's not it.", "No, not that.", "It's not that.")
_PROBES = (
    "How did you get that?",
    "Can you show me how you got there?",
    "Can you check your first step and tell me what you did?",
    "How did you work that out, step by step?",
    "Why did you do it that way?",
)
_CHECKS = (
    "Check each step from the start.",
    "Go through it once more, slowly.",
    "Write down what you know and begin again.",
)
_HOPELESS = (
    "What is missing there nobody can guess.",
    "Without the missing part nobody can tell.",
    "It takes the part that we both don't have.",
)


def typing_of(person: Person) -> TypingStyle:
    """A teacher's typing: their person's, more formal, so that numbers and lists stay what they are."""
    style = person.typing()
    casing = "mixed" if style.casing == "lower" else style.casing
    formal = {"casing": casing, "typo_rate": min(style.typo_rate, 0.01), "comma_dropped": 0.0}
    return style.model_copy(update=formal | {"ending_rate": 0.0, "stretched": 0.0})


@dataclass(frozen=True)
class Lesson:
    """What a lesson has come to: a fold over scenario and turns."""

    scenario: Scenario
    turns: Sequence[Turn]
    session: SessionLatents

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn]) -> Self:
        drawn = {name: scenario.session_latents[name] for name in SessionLatents.model_fields}
        return cls(scenario, turns, SessionLatents.model_validate(drawn))

    @property
    def view(self) -> View:
        return self.scenario.views["teacher"]

    @cached_property
    def missing(self) -> list[Fact]:
        """Withheld facts that have not come out yet, in the order of the problem."""
        out = told(self.view, self.turns)
        return [f for f in self.view.facts if f.id not in out]

    @cached_property
    def denied(self) -> set[str]:
        """Ids of what the teacher has said it does not have."""
        return {i for t in self.turns for i in t.labels.get("denied", ())}

    @property
    def open(self) -> list[Fact]:
        """What may still come out, as far as was said."""
        return [f for f in self.missing if f.id not in self.denied]

    @property
    def tried(self) -> bool:
        return any(t.answer is not None for t in self.turns)

    @property
    def discouraged(self) -> bool:
        """Whether the teacher let it be seen that no question is welcome now."""
        hurry = any(t.labels.get("hurry") for t in self.turns)
        return hurry or (bool(self.turns) and self.turns[-1].intent_requested == "refuse")

    @property
    def misconception(self) -> Misconception | None:
        """What the student answers by now: all that it takes has come out and no hint has set it right, while another
        answer can follow.
        """
        held = self.scenario.session_latents.get("misconception")
        hinted = any(t.intent_requested == "hint" for t in self.turns)
        room = self.scenario.max_turns - len(self.turns) >= _CORRECTED
        missing = any(f.required for f in self.missing)
        return Misconception.model_validate(held) if held and room and not hinted and not missing else None

    @property
    def probing(self) -> bool:
        """Whether a wrong answer is looked at first: once, by a teacher who does that and has time for it."""
        done = any(t.intent_requested == "probe" for t in self.turns)
        room = self.scenario.max_turns - len(self.turns) >= _PROBED
        missing = any(f.required for f in self.missing)
        does = bool(self.scenario.session_latents.get("probes")) and self.session.cell != "hurry"
        return does and room and not done and not missing

    @property
    def explained(self) -> bool:
        """Whether the student's message follows a probe and asks nothing."""
        before = self.turns[-2].intent_requested if len(self.turns) > 1 else None
        return before == "probe" and "ask" not in self.turns[-1].acts

    @property
    def spent(self) -> int:
        """Messages of the student that cost the teacher patience."""
        return sum(bool(t.labels.get("costs")) for t in self.turns)

    @property
    def informed_answers(self) -> int:
        """Answers given when nothing needed could come out any more. What follows a probe is the last one, looked at
        again.
        """
        again = {n + 1 for n, t in enumerate(self.turns) if t.intent_requested == "probe"}
        given = (n for n, t in enumerate(self.turns) if t.answer is not None and n not in again)
        before = (Lesson(self.scenario, self.turns[:n], self.session) for n in given)
        return sum(not any(f.required for f in lesson.open) for lesson in before)

    def drawn(self, what: str, words: Sequence[str]) -> str:
        """One of some words, none that was said before while there are others."""
        said = " ".join(str(t.labels.get("clean", t.text)) for t in self.turns)
        return rng(self.scenario.seed, what, len(self.turns)).choice([w for w in words if w not in said] or words)


async def asked(lesson: Lesson, text: str, services: Services) -> tuple[str, ...]:
    """Ids of what a student's message asks for, in its order; each of several questions for one thing at most. Of
    equally near facts one that has not come out counts.
    """
    facts = [*lesson.missing, *(fact for fact in lesson.view.facts if fact not in lesson.missing)]
    return await facts_asked(text, facts, services)


def moved(turn: Turn) -> TeacherMove:
    """What kind of teaching a teacher's turn is: by the program's intent, where it has one."""
    if turn.intent_requested is None:
        return by_words(turn.text or "")
    return "probing" if turn.labels.get("hint") in _CHECKS else INTENTS.get(turn.intent_requested, "generic")


def teacher_move(lesson: Lesson) -> Move:
    last = lesson.turns[-1]
    if last.answer is not None:
        return _feedback(lesson, last)
    if last.labels.get("about") == METHOD or lesson.explained:
        hint = _hint(lesson)
        return _worded("hint", hint, hint=hint)
    session = lesson.session
    now = due(lesson.view, lesson.turns, session, last.facts_asked)
    costs = session.cell == "hurry" or not now.tell or bool(now.withheld)
    if costs and lesson.spent >= session.patience:
        left = lesson.drawn("leave", _IN_A_HURRY if session.cell == "hurry" else _IMPATIENT)
        return _worded("close", left, costs=True)
    if session.cell == "refuses" and not lesson.tried and "ask" in last.acts:
        return _held("refuse", lesson.drawn("refuse", _TRY_FIRST))
    if now.tell:
        return _tell(lesson, now, costs)
    # A small model would tell something: nothing may come out here, so the words are the program's.
    if now.withheld:
        number = now.withheld[0].value.isdigit()
        words = lesson.drawn("deny", (*_NOT_HAD, *(_NUMBER_NOT_HAD if number else ())))
        return _held("deny", words, denied=_never(now), withheld=_ids(now))
    if last.facts_asked:
        return _held("repeat", lesson.drawn("repeat", _REPEATED))
    return _held("redirect", lesson.drawn("redirect", _REDIRECTS))


def _tell(lesson: Lesson, now: Due, costs: bool) -> Move:
    """`beside`: what shows that a question more is not welcome, or that something asked for was kept back."""
    labels: dict[str, Any] = {"costs": True} if costs else {}
    beside = ""
    if now.withheld:
        beside = _PARTLY if _never(now) != _ids(now) else _REST_NOT_HAD
        labels |= {"withheld": _ids(now)} | ({"denied": _never(now)} if beside == _REST_NOT_HAD else {})
    if lesson.session.cell == "hurry":
        beside = _HURRY
        labels["hurry"] = True
    if beside:
        labels["says"] = beside
    move = _worded("tell", " ".join([*(f.text for f in now.tell), beside]).strip(), **labels)
    return move.model_copy(update={"fact_ids": tuple(f.id for f in now.tell)})


def _feedback(lesson: Lesson, last: Turn) -> Move:
    if last.answer_correct:
        return _worded("confirm", lesson.drawn("confirm", _YES))
    if lesson.informed_answers >= MOST_ANSWERS:
        return _worded("close", lesson.drawn("stuck", _STUCK))
    blind = lesson.session.cell != "refuses" and any(f.required for f in lesson.open)  # who refuses wants it tried
    if blind and lesson.spent >= lesson.session.patience:
        return _worded("close", lesson.drawn("leave", _IMPATIENT), costs=True)
    wrong = lesson.drawn("wrong", _WRONG)
    if lesson.probing:  # a small model would hint: a probe holds none, so the words are the program's
        return Move(role="teacher", intent="probe", verbatim=f"{wrong} {lesson.drawn('probe', _PROBES)}")
    hint = _hint(lesson)
    said = f"{wrong} {hint}"
    return _worded("hint", said, hint=hint, **({"costs": True} if blind else {}))


def _hint(lesson: Lesson) -> str:
    if lesson.denied:
        return lesson.drawn("hopeless", _HOPELESS)
    idea = lesson.view.private.get("hint")
    hinted = any(t.intent_requested == "hint" for t in lesson.turns)
    return idea if idea and not hinted else lesson.drawn("check", _CHECKS)


def _worded(intent: str, words: str, **labels: Any) -> Move:
    """The model rewrites these words; they stand where nothing it says passes."""
    return Move(role="teacher", intent=intent, instruction=f"say: {words}", fallback=words, labels=labels)


def _held(intent: str, words: str, **labels: Any) -> Move:
    return Move(role="teacher", intent=intent, verbatim=words, labels=labels | {"costs": True})


def _ids(now: Due) -> list[str]:
    return [f.id for f in now.withheld]


def _never(now: Due) -> list[str]:
    return [f.id for f in now.withheld if f.disclose == "never"]
