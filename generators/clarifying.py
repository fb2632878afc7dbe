"""The program of somebody who brings a problem and does not see what it lacks: they tell that one thing when they are
asked for it, and know nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from generators.domains.small_talk import new
from generators.latents.session import SessionLatents
from generators.ledger import ledger
from generators.tasks.sentences import inside
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Fact, Scenario

LEADS = (
    "",
    "hey, can you help me with this?",
    "can you solve this for me?",
    "i'm stuck on this one:",
    "hi, how does this one work?",
    "my homework, i don't get it:",
    "what's the answer to this?",
)
"""Before the problem."""
_TELLS = (
    "{said}",
    "oh right, {said}",
    "ah sorry, {said}",
    "oops my bad: {said}",
    "i looked again and {said}",
    "found it: {said}",
)
_HALF = "{said}, and the other one is a typo"
"""What is said of a contradiction."""
_UNKNOWN = (
    "no idea, that's all i have",
    "it doesn't say that anywhere",
    "i don't know that either",
    "hm, i can't find that on the sheet",
    "not sure, that's how they gave it to us",
    "i have no clue, nobody told us that",
)
_ELSE = (
    "i only know what's written there",
    "uh, no idea about that",
    "i don't think it says more about that",
    "don't know, it's all in the text",
    "that i can't tell you, sorry",
)
_AGAIN = ("i just told you that", "like i said above", "see above, i wrote it")
_WAITS = ("ok, so what's the answer?", "and what do i write down?", "so what comes out?", "ok and the result?")
_LEAVES = (
    "ok never mind, i'll ask someone else",
    "i'll just ask my teacher tomorrow, bye",
    "ok forget it, i have to go",
    "that's taking too long, i'll leave it",
)


@dataclass(frozen=True)
class Inquiry:
    """What a dialogue about a problem has come to: a fold over scenario and turns."""

    scenario: Scenario
    turns: Sequence[Turn]
    session: SessionLatents

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn]) -> Self:
        return cls(scenario, turns, SessionLatents.model_validate(scenario.session_latents))

    @property
    def fact(self) -> Fact | None:
        """What was taken out of the problem; None where nobody can say what."""
        return next(iter(self.scenario.views["user"].facts), None)

    @property
    def problem(self) -> str:
        return str(self.scenario.plan["problem"])

    @property
    def told(self) -> bool:
        return any(entry.told is not None for entry in ledger(self.scenario.views["user"], self.turns).values())

    @property
    def flawed(self) -> bool:
        return self.scenario.plan["flaw_type"] != "none"

    @property
    def questions(self) -> list[Turn]:
        return [t for t in self.turns if "ask" in t.acts and t.role == "assistant"]

    @property
    def unknown(self) -> bool:
        """Whether the user has said that they do not know what they were asked."""
        return any(t.intent_requested in ("deny", "unsure") for t in self.turns)

    @property
    def spent(self) -> int:
        """Messages of the assistant that cost the user patience."""
        return sum(bool(t.labels.get("costs")) for t in self.turns)

    def drawn(self, what: str, words: Sequence[str]) -> str:
        return new(words, self.turns, rng(self.scenario.seed, what, len(self.turns)))


def user_move(inquiry: Inquiry) -> Move:
    """After a message of the assistant that ended nothing."""
    last, fact = inquiry.turns[-1], inquiry.fact
    if fact is not None and fact.id in last.facts_asked and fact.disclose != "never" and not inquiry.told:
        return _tell(inquiry, fact)
    if inquiry.spent >= inquiry.session.patience:
        return _said("close", inquiry.drawn("leave", _LEAVES))
    if "ask" not in last.acts:
        return _said("redirect", inquiry.drawn("wait", _WAITS))
    if fact is None or fact.id not in last.facts_asked:
        return _said("unsure", inquiry.drawn("else", _ELSE))
    if inquiry.told:
        return _said("repeat", inquiry.drawn("again", _AGAIN))
    return _said("deny", inquiry.drawn("unknown", _UNKNOWN), denied=[fact.id])


def _tell(inquiry: Inquiry, fact: Fact) -> Move:
    """The model rewrites these words; they stand where nothing it says passes."""
    way = inquiry.drawn("tell", _TELLS)
    half = _HALF if inquiry.scenario.plan["rewriting"] == "contradiction" else "{said}"
    words = way.format(said=half.format(said=inside(fact.text, inquiry.problem).rstrip(".!")))
    return Move(role="user", intent="tell", instruction=words, fallback=words, fact_ids=(fact.id,))


def _said(intent: str, words: str, **labels: Any) -> Move:
    """A small model would tell something: nothing may come out here, so the words are the program's."""
    return Move(role="user", intent=intent, verbatim=words, labels=labels | {"costs": True})
