"""Q-priming (methods §2): a student's wrong answer is replaced by a question with probability p^t, in student turn
number t (from 1). The student's model writes it, shown its own try and the teacher's private knowledge; the question
may not hold any of that.

The turn stays where it was: what was tried is its label `attempt`, so that scenario and turns still say everything.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from generators.latents.tagger import is_question
from generators.speakers.checks import check_message, plain, tidy
from generators.tasks.problem import mentions
from generators.teaching import METHOD, Lesson, asked
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import KNOWS_BOTH, Services
from schemas.dialogue import Turn
from schemas.errors import InvalidOutput
from schemas.identity import derive, rng, stable_hash
from schemas.scenario import Fact, View

ATTEMPTS = 3
SPAN = 8
"""Words in a row of the solution that give it away (methods §2)."""
_SAMPLING = Sampling(temperature=0.5, min_p=0.1, max_tokens=40)
_SYSTEM = (
    "You are a student. You text with your tutor about a problem, and your last try was wrong. You have seen the"
    " tutor's notes, but you never say what is in them. Text one short question: what the note in brackets says."
)
_EXAMPLES = (
    (
        "Problem: A box of eggs weighs 2 kilos. How heavy are all the boxes?\nYour try: I think it is 4 kilos."
        "\nTutor's notes: There are 6 boxes. 6 boxes of 2 kilos weigh 12 kilos.\n[ask: how many boxes there are?]",
        "How many boxes are there?",
    ),
    (
        "Problem: Ben has 9 bottles and breaks 4 of them. How many bottles are left?\nYour try: 9 plus 4 is 13."
        "\nTutor's notes: 9 bottles minus 4 bottles leaves 5.\n[ask about the step that went wrong in your try]",
        "Was it wrong to add the broken bottles to the others?",
    ),
)


async def primed(lesson: Lesson, attempt: Turn, substitution: float, services: Services) -> Turn:
    """The wrong answer `attempt` (the turn after the lesson's), or the question in its place; both say `p_q` and
    whether it was drawn.

    Only where a question is welcome and somebody can answer it. A question that nobody found words for that hold
    nothing private leaves the answer, with `question_failed`.
    """
    if lesson.session.initiative in ("unwelcome", "hopeless"):
        return attempt
    place = len(lesson.turns)
    number = 1 + sum(t.role == attempt.role for t in lesson.turns)
    chance = substitution**number
    labels = attempt.labels | {"p_q": chance, "question_substituted": False}
    if rng(lesson.scenario.seed, "substitution", place).random() >= chance:
        return attempt.model_copy(update={"labels": labels})
    about = next((fact for fact in lesson.open if fact.required), None)
    fault = ""
    for tried in range(ATTEMPTS):
        seed = derive(lesson.scenario.seed, "question", place, tried)
        key = CallKey(turn=place, step=KNOWS_BOTH, attempt=tried)
        request = ChatRequest(key, _prompt(lesson, attempt, about), _SAMPLING, seed, stop=("\n",))
        try:
            reply = await services.chat[attempt.role].ask(request)
            return await _asks(lesson, attempt, about, reply, request, labels, services)
        except InvalidOutput as error:
            fault = error.reason
    return attempt.model_copy(update={"labels": labels | {"question_failed": fault}})


def _prompt(lesson: Lesson, attempt: Turn, about: Fact | None) -> tuple[Message, ...]:
    view = lesson.view
    notes = " ".join([about.text if about else view.private["hint"], view.private["solution"]]).strip()
    wanted = f"ask: {about.slot}?" if about else "ask about the step that went wrong in your try"
    talk = [f"You: {t.text}" if t.role == attempt.role else f"Tutor: {t.text}" for t in lesson.turns[1:] if t.text]
    shown = [f"Problem: {view.public}", *talk, f"Your try: {attempt.text}", f"Tutor's notes: {notes}", f"[{wanted}]"]
    examples = [m for heard, text in _EXAMPLES for m in (Message("user", heard), Message("assistant", text))]
    return (Message("system", _SYSTEM), *examples, Message("user", "\n".join(shown)))


async def _asks(
    lesson: Lesson,
    attempt: Turn,
    about: Fact | None,
    reply: ChatReply,
    request: ChatRequest,
    labels: Mapping[str, Any],
    services: Services,
) -> Turn:
    """The turn with the question in the place of the answer. Raises InvalidOutput where it is none, asks for something
    else or holds what is private.
    """
    text = tidy(reply.text, reply.finish_reason == "length")
    check_message(text, attempt.role, lesson.turns, learner_like=False)
    if not is_question(text):
        raise InvalidOutput(f"asked for a question, got {text!r}", "intent_not_met")
    if secret := gives_away(text, lesson.view, lesson.turns):
        raise InvalidOutput(f"the question holds {secret!r}: {text!r}", "private_leak")
    facts = await asked(lesson, text, services)
    if about is not None and about.id not in facts:
        raise InvalidOutput(f"the question is not about {about.slot!r}: {text!r}", "intent_not_met")
    known = {
        "text": text,
        "answer": None,
        "answer_correct": None,
        "acts": ("ask",),
        "facts_asked": facts,
        "intent_detected": "ask",
        "decision": "ask",
        "model": reply.model,
        "prompt_hash": stable_hash([[m.role, m.content] for m in request.messages]),
        "temperature": request.sampling.temperature,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "logprob": reply.logprob,
    }
    tried = {"text": attempt.text, "answer": attempt.answer, "verdict": attempt.labels.get("verdict")}
    labels = {name: value for name, value in labels.items() if name != "verdict"} | {
        "question_substituted": True,
        "question_author_view": "privileged",
        "attempt": tried,
        "about": about.id if about else METHOD,
    }
    return attempt.model_copy(update=known | {"labels": labels})


def gives_away(text: str, view: View, turns: Sequence[Turn]) -> str | None:
    """What of a teacher's private knowledge a text holds that nobody has said: the answer, a fact's value, or a run of
    SPAN words of a fact or of the solution.
    """
    known = " ".join([view.public, *(t.text or "" for t in turns)])
    values = [view.private.get("answer", ""), *(fact.value for fact in view.facts)]
    texts = [view.private.get("solution", ""), *(fact.text for fact in view.facts)]
    found = (v for v in values if re.search(r"\w", v) and mentions(text, v) and not mentions(known, v))
    said, heard = f" {' '.join(plain(text))} ", f" {' '.join(plain(known))} "
    runs = (run for secret in texts for run in _runs(secret) if run in said and run not in heard)
    return next(found, None) or next(runs, None)


def _runs(secret: str) -> list[str]:
    words = plain(secret)
    return [f" {' '.join(words[n : n + SPAN])} " for n in range(len(words) - SPAN + 1)]
