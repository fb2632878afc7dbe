"""What one who asks for something hears in the other's words: no label of the program is read here but those of the
assistant's own messages.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from typing import Literal, NamedTuple, Self

from generators.domains.outreach import OutreachDomain, load
from generators.domains.small_talk import TOPICS
from generators.latents.mind import Appraisal
from generators.prospect import appraisal_of
from generators.speakers.checks import content_words
from schemas.dialogue import Turn
from schemas.scenario import Scenario

Manner = Literal["hinted", "voiced"]

_TOLD = 0.5
"""Share of the content words, of the message and of what it is held against, that must be in both."""
_WITHIN = 3
"""Content words of a phrase from which it is found in a longer message."""
_OFF = 0.6
"""The same, for something to talk about instead."""
_NO = re.compile(
    r"^\W*(?:(?:hm+|mm+|sorry|well|oh|ok)\W+)*(?:no|nah|nope|(?:probably )?not)\b"
    r"|\b(?:i'?ll pass|rather not|don'?t think so)\b",
    re.I,
)
_NO_WORDS = 6
"""Most words of a bare no."""
_HURRY = re.compile(
    r"\b(?:only (?:got|have|here for) (?:a|one) (?:sec\w*|min\w*)|(?:run|go|leave) in a (?:sec|min)\w*|busy right now"
    r"|make it (?:quick|short|fast)|in a (?:rush|hurry)|no time)\b",
    re.I,
)


class Message(NamedTuple):
    """What one message of theirs seems to say."""

    concern: str | None = None
    manner: Manner = "voiced"
    refuses: bool = False
    topic: str | None = None
    """What they talk about instead."""
    hurried: bool = False
    wonders: str | None = None
    """The id of what answers a question of theirs about the thing."""
    vague: bool = False
    """An answer to an open question that is about nothing anybody could name."""


@dataclass(frozen=True)
class Heard:
    """What a prefix has come to for the one who asks."""

    scenario: Scenario
    turns: Sequence[Turn]
    data: OutreachDomain

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn]) -> Self:
        return cls(scenario, turns, load(scenario.domain))

    @cached_property
    def messages(self) -> list[Message | None]:
        """By turn; None for its own."""
        heard: list[Message | None] = []
        before = Appraisal()
        for turn in self.turns:
            theirs = turn.role == "user"
            before = before if theirs else appraisal_of(turn) or Appraisal()
            heard.append(hear(turn.text or "", self.scenario.domain, before) if theirs else None)
        return heard

    @cached_property
    def heard(self) -> list[Message]:
        return [m for m in self.messages if m is not None]

    @cached_property
    def mine(self) -> list[Turn]:
        return [t for t in self.turns if t.role == "assistant"]

    @cached_property
    def seen(self) -> list[Appraisal]:
        """What its own messages did."""
        return [s for t in self.mine if (s := appraisal_of(t)) is not None]

    @cached_property
    def pending(self) -> dict[str, Manner]:
        """Concerns that were told and not answered since."""
        answers = {f.id: f.value for f in self.scenario.views["assistant"].facts}
        pending: dict[str, Manner] = {}
        for turn, message in zip(self.turns, self.messages, strict=True):
            if message is not None and message.concern is not None:
                pending[message.concern] = message.manner
            for i in turn.facts_disclosed if message is None else ():
                pending.pop(answers.get(i, ""), None)
        return pending

    @property
    def told(self) -> set[str]:
        """Concerns that came out."""
        return {m.concern for m in self.heard if m.concern is not None}

    @property
    def spoken(self) -> int:
        """Its own messages so far."""
        return len(self.mine)

    @property
    def asked(self) -> set[str]:
        return {c for s in self.seen for c in s.asked}

    @property
    def opens(self) -> int:
        """Open questions so far."""
        return sum(s.asks_openly for s in self.seen)

    @property
    def requests(self) -> int:
        return sum(s.asks_for_commitment for s in self.seen)

    @property
    def refused(self) -> bool:
        """Their last message is a refusal."""
        return bool(self.heard) and self.heard[-1].refuses

    @property
    def topic(self) -> str | None:
        """What they have just talked about instead."""
        return self.heard[-1].topic if self.heard else None

    @property
    def wonders(self) -> str | None:
        return self.heard[-1].wonders if self.heard else None

    @property
    def vague(self) -> bool:
        return bool(self.heard) and self.heard[-1].vague

    @property
    def hurried(self) -> bool:
        return any(m.hurried for m in self.heard)

    @property
    def last(self) -> bool:
        """The assistant's last message."""
        return len(self.turns) >= self.scenario.max_turns - 2


def hear(text: str, domain: str, before: Appraisal) -> Message:
    """A message of theirs, after the assistant's `before`. Whoever does not say no to a question about one concern is
    taken to have hinted at it.
    """
    says_no = bool(_NO.search(text)) and len(text.split()) <= _NO_WORDS
    if says_no and before.asks_for_commitment:
        return Message(refuses=True)
    hurried = bool(_HURRY.search(text))
    if (name := _concern(text, domain)) is not None:
        return Message(name, hurried=hurried)
    if (argument := _curious(text, domain)) is not None:
        return Message(wonders=argument, hurried=hurried)
    if (topic := _small_talk(text)) is not None:
        return Message(topic=topic)
    if len(before.asked) == 1 and not says_no:
        return Message(before.asked[0], "hinted", hurried=hurried)
    return Message(vague=before.asks_openly and not says_no, hurried=hurried)


@lru_cache(maxsize=20_000)
def _concern(text: str, domain: str) -> str | None:
    """The concern whose public words, or ways to say it, are nearest; None when none is near."""
    words = _content(text)
    share, name = max((_said(words, phrase), name) for name, phrase in _phrases(domain))
    return name if share >= _TOLD else None


@lru_cache(maxsize=20_000)
def _curious(text: str, domain: str) -> str | None:
    """By the last words of the message: a question may stand behind an answer."""
    said = _bare(text)
    return next((c.answer for c in load(domain).curious for ask in c.asks if said.endswith(_bare(ask))), None)


def _bare(text: str) -> str:
    return " " + " ".join(re.findall("[a-z]+", re.sub("['’]", "", text.lower())))


@lru_cache(maxsize=20_000)
def _small_talk(text: str) -> str | None:
    words = _content(text)
    share, topic = max((_both(words, said), topic) for topic, said in _tells())
    return topic if share >= _OFF and len(words) > 1 else None


def _content(text: str) -> set[str]:
    """However its apostrophes are typed."""
    return content_words(re.sub("['’]", "", text))


def _said(words: set[str], phrase: frozenset[str]) -> float:
    """The same words, or a longer message that has the phrase in it."""
    both = len(words & phrase)
    return max(_both(words, phrase), both / len(phrase) if both >= _WITHIN and both >= 0.75 * len(phrase) else 0.0)


def _both(words: set[str], others: frozenset[str]) -> float:
    """Share of the longer one's words that stand in both; one word alone says nothing of a longer message."""
    both, most = len(words & others), max(len(words), len(others), 1)
    return both / most if both > 1 or most == 1 else 0.0


@cache
def _phrases(domain: str) -> list[tuple[str, frozenset[str]]]:
    return [
        (name, frozenset(_content(phrase)))
        for name, concern in load(domain).concerns.items()
        for phrase in (concern.about, concern.ask, *concern.voiced)
    ]


@cache
def _tells() -> list[tuple[str, frozenset[str]]]:
    return [
        (topic, frozenset(_content(tell)))
        for topic, data in TOPICS.items()
        for tells in data["questions"].values()
        for tell in tells
    ]
