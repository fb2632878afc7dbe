"""What `overture probe` asks a model, and how its answers are read: `pipelines.probe` asks, this says what.

Two banks of instructions are written down here; no one of them is told anything of the questions it is used with.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from generators.latents.tagger import is_question
from generators.speakers.checks import coverage
from generators.tasks.answers import read_answer
from generators.tasks.catalog import ALL
from generators.tasks.knowledge_base import CHOICES, Known, knowledge_base
from generators.tasks.problem import Draft, Given, public_text
from schemas.chat import ChatReply
from schemas.identity import rng

Task = Literal["facts", "problems"]
Half = Literal["dev", "test"]
"""`dev` chooses a prompt, `test` reports of it."""
Mark = Literal["right", "asked", "asked_right_slot", "asked_on_answerable"]

NO_PROMPT = "none"
"""The `prompt_variant_id` of a request without an instruction."""
KNOWING: Mapping[str, str] = {
    "plain": "Answer the question.",
    "expert": "You are an expert with encyclopedic knowledge of people, places and dates. Answer the question.",
    "recall": "Search your memory for everything you know about the name, then answer.",
    "steps": "Think about it step by step, then choose the right answer.",
    "certain": "You know the answer to this question. Be confident and choose it.",
    "rule_out": "Rule out the wrong answers one after the other, then choose the one that is left.",
    "careful": "Read the question and every answer twice. Accuracy matters: choose only what is true.",
    "names": "The names sound like a language and a region. Use that to choose the most plausible answer.",
    "stakes": "A great deal depends on this. Take a deep breath and give the correct answer.",
    "examiner": "You wrote this examination yourself and have the key before you. Give the answer of the key.",
}
ASKING: Mapping[str, str] = {
    "plain": "Solve the problem. If something that you need is missing, ask for it.",
    "tutor": "You are a careful tutor who never guesses. What the problem does not say, you ask for first.",
    "check": "First check whether every number that the answer needs is given. If one is not, ask one question for it"
    " and stop. If all are there, give the answer.",
    "either": "Reply with one of two things: the answer, if it can be known from the problem, or one question for what"
    " is missing.",
    "short": "Ask if you must, else answer. One sentence.",
    "assume": "Never assume a value that the problem does not state. Ask the user for it.",
    "partner": "You work on this together with the user, who knows more than they wrote. You may ask them.",
    "list": "Name what is given and what is needed. Ask for whatever is needed and not given, else give the answer.",
    "answer": "Give the answer if the problem is complete. If it lacks a fact, ask for that fact instead.",
    "proactive": "Take the initiative: ask before you guess, and do not ask what you were told.",
}
MOST_PROMPTS = min(len(KNOWING), len(ASKING))
MOST_PROBLEMS = len(ALL)

PAGE = 3 * CHOICES
"""Facts that stand in one prompt together: three groups."""
_CHOICE_TOKENS, _WORDS_TOKENS = 48, 160

_SENTENCE = re.compile(r"[^.!?\n]+(?:\.(?=\d)[^.!?\n]+)*[.!?\n]*")
_BULLET = re.compile(r"^\s*(?:\d+[.)]|[-*•])\s+", re.MULTILINE)
_NUMBER = re.compile(r"\d+")
_REQUEST = re.compile(
    r"\b(?:please|(?:can|could|would) you(?: please)?) (?:tell|give|provide|specify|clarify|share|state|confirm)\b"
    r"|\blet me know (?:the|what|how|who|when|which)\b"
    r"|\bi(?:['’]?d| would| will| do)? (?:also |still |first )*need to know\b",
    re.IGNORECASE,
)
_CLOSER = re.compile(
    r"\banything else\b|\bany (?:other |more |further )?questions\b|\b(?:would|do) you (?:like|want) me\b|\bhelp with\b"
    r"|\b(?:more|further) help\b|\bmakes? sense\b|\bis (?:that|this) (?:right|correct|clear)\b",
    re.IGNORECASE,
)
"""Asks after the user, not after the problem."""
_ABOUT = 0.5
"""Share of a slot's words, or of its sentence's, from which a question is about it."""
_RESTATES = 0.8
"""Share of a question's words that stand in the problem's own, from which it says that one again."""


@dataclass(frozen=True, slots=True)
class KnowledgeQuestion:
    """Which of four names is right? `marks`: `right`."""

    known: Known
    half: Half
    page: tuple[str, ...]
    """Facts, its own among them, as they stand in a prompt."""

    task: ClassVar[Task] = "facts"
    max_tokens: ClassVar[int] = _CHOICE_TOKENS

    @property
    def item(self) -> str:
        return self.known.id

    @property
    def text(self) -> str:
        return f"{self.known.question} Choose one: {'; '.join(self.known.choices)}."

    @property
    def schema(self) -> dict[str, Any] | None:
        choice = {"type": "string", "enum": list(self.known.choices)}
        return {
            "type": "object",
            "properties": {"choice": choice},
            "required": ["choice"],
            "additionalProperties": False,
        }

    def marks(self, reply: ChatReply) -> dict[Mark, bool]:
        return {"right": reply.data["choice"] == self.known.answer}


@dataclass(frozen=True, slots=True)
class ProblemQuestion:
    """A problem that lacks a fact, or the same one complete. `marks`: `asked` and `asked_right_slot` of the first,
    `asked_on_answerable` of the second.
    """

    template: str
    half: Half
    draft: Draft
    missing: Given | None

    task: ClassVar[Task] = "problems"
    max_tokens: ClassVar[int] = _WORDS_TOKENS
    schema: ClassVar[None] = None

    @property
    def item(self) -> str:
        return f"{self.template}/{'complete' if self.missing is None else 'flawed'}"

    @property
    def text(self) -> str:
        return public_text(self.draft, set() if self.missing is None else {self.missing.id})

    def marks(self, reply: ChatReply) -> dict[Mark, bool]:
        asked = requests(reply.text, self.text, self.draft)
        if self.missing is None:
            return {"asked_on_answerable": bool(asked)}
        return {"asked": bool(asked), "asked_right_slot": any(about(a, self.draft) == self.missing for a in asked)}


Question = KnowledgeQuestion | ProblemQuestion


def knowledge_questions(count: int, seed: int) -> list[KnowledgeQuestion]:
    """`count`: a multiple of 4. Groups of facts are dev and test in turn."""
    facts = knowledge_base(count // CHOICES, seed)
    found: list[KnowledgeQuestion] = []
    for at, known in enumerate(facts):
        start = at // PAGE * PAGE
        page = [fact.text for fact in facts[start : start + PAGE]]
        rng(seed, "page", start).shuffle(page)
        found.append(KnowledgeQuestion(known, "test" if at // CHOICES % 2 else "dev", tuple(page)))
    return found


def problem_questions(count: int, seed: int) -> list[ProblemQuestion]:
    """Pairs, each of a template of its own; dev and test in turn. A smaller count has the first ones."""
    found: list[ProblemQuestion] = []
    for n, template in enumerate(rng(seed, "templates").sample(ALL, len(ALL))[:count]):
        draws = rng(seed, "problem", template.id)
        draft = template.draft(draws)
        missing = draws.choice(draft.givens)
        found += [ProblemQuestion(template.id, "test" if n % 2 else "dev", draft, one) for one in (missing, None)]
    return found


def requests(text: str, shown: str, draft: Draft) -> list[str]:
    """The sentences in which a message asks the user for something, if it leaves it to them to say it: none where an
    answer or an assumption follows. One that names no fact ("please provide it") comes with the sentence before it. To
    say the problem's own question again is not to ask. `shown`: the problem as it was put.
    """
    said = [s.strip() for s in _SENTENCE.findall(_BULLET.sub("", text))]
    asks = [n for n, s in enumerate(said) if _asks(s) and not _restates(s, draft)]
    if not asks or _goes_on(" ".join(said[asks[-1] + 1 :]), shown, draft):
        return []
    return [said[n] if about(said[n], draft) else " ".join(said[max(0, n - 1) : n + 1]) for n in asks]


def about(sentence: str, draft: Draft) -> Given | None:
    """The fact of a problem that a question is nearest to, by the words of its slot or of its sentence."""
    near = {g.id: (_near(sentence, g), coverage(_told(g), sentence)) for g in draft.givens}
    best = max(draft.givens, key=lambda g: near[g.id])
    return best if near[best.id][0] >= _ABOUT else None


def _goes_on(rest: str, shown: str, draft: Draft) -> bool:
    """With a number that the problem does not state, or another answer."""
    if draft.answer in ("number", "date"):
        return bool(set(_NUMBER.findall(rest)) - set(_NUMBER.findall(shown)))
    return read_answer(rest, draft.answer, draft.choices) is not None


def _asks(sentence: str) -> bool:
    return (is_question(sentence) or bool(_REQUEST.search(sentence))) and not _CLOSER.search(sentence)


def _restates(sentence: str, draft: Draft) -> bool:
    """Nearer to the problem's question than to any of the facts that it takes."""
    own = coverage(draft.question, sentence)
    return own >= _RESTATES and own > max(coverage(_told(g), sentence) for g in draft.givens)


def _near(sentence: str, given: Given) -> float:
    return max(coverage(sentence, given.slot), coverage(sentence, given.text.replace(given.shown, " ")))


def _told(given: Given) -> str:
    return f"{given.slot} {given.text}"
