"""Domains of the `conversation` family: their topics, and what people say there without a thought. The topics are in
the YAML files beside this one, written for this project.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from random import Random
from typing import Annotated, Any, Literal, NamedTuple, Self

import yaml
from pydantic import Field, model_validator

from schemas.dialogue import Turn
from schemas.scenario import Fact, Value

Domain = Literal["small_talk", "neighbours", "hobby_club"]
CASES = 40
"""Paths of two topics, at least."""


class Pair(NamedTuple):
    """Something told that mentions two things, and the two as they are taken up."""

    says: str
    first: str
    second: str


class Assumption(NamedTuple):
    """A question that takes for granted what is not so."""

    asks: str
    corrected: str
    """What the one it is put to says, in first person."""
    what: str


class Topic(Value):
    questions: Annotated[dict[str, Annotated[tuple[str, ...], Field(min_length=3)]], Field(min_length=3)]
    """What a partner may be asked, without its question mark -> what one may have to tell about it."""
    tips: Annotated[tuple[str, ...], Field(min_length=3)]
    """What an assistant may offer unasked."""
    bridges: Annotated[dict[str, str], Field(min_length=3)]
    """Other topic -> the thought that links the two."""
    pairs: Annotated[tuple[Pair, ...], Field(min_length=2)]
    assumes: Annotated[tuple[Assumption, ...], Field(min_length=2)]


class TalkDomain(Value):
    name: str
    assistant: str
    """Who the assistant is, for its prompt."""
    user: str
    topics: Annotated[dict[str, Topic], Field(min_length=10)]

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        for name, topic in self.topics.items():
            if odd := sorted((set(topic.bridges) - set(self.topics)) | ({name} & set(topic.bridges))):
                raise ValueError(f"topics {name!r}: bridges to {odd}")
            for pair in topic.pairs:
                if lacks := [t for t in pair[1:] if not set(t.split()[1:]) <= set(pair.says.split())]:
                    raise ValueError(f"topics {name!r}: {pair.says!r} does not mention {lacks}")
        asked = [q for topic in self.topics.values() for q in topic.questions]
        if twice := sorted({q for q in asked if asked.count(q) > 1}):
            raise ValueError(f"topics: {twice} stand there twice")
        if (paths := sum(len(topic.bridges) for topic in self.topics.values())) < CASES:
            raise ValueError(f"topics: {paths} bridges, {CASES} are needed")
        return self

    def tells(self, topic: str, draws: Random, count: int) -> list[tuple[str, str]]:
        """Questions of a topic, each with something to tell about it."""
        questions = draws.sample(sorted(self.topics[topic].questions), count)
        return [(question, draws.choice(self.topics[topic].questions[question])) for question in questions]

    def topic_of(self, fact: Fact) -> str:
        """Of what is told about a question; of any other fact, what it is about."""
        return next((name for name, topic in self.topics.items() if fact.slot in topic.questions), fact.slot)


@cache
def load(domain: str) -> TalkDomain:
    """Raises pydantic.ValidationError with what does not agree."""
    text = resources.files("generators.domains").joinpath(f"{domain}.yaml").read_text()
    return TalkDomain.model_validate(yaml.safe_load(text))


TOPICS: Mapping[str, dict[str, Any]] = {name: topic.model_dump() for name, topic in load("small_talk").topics.items()}
# What people text in four words or fewer carries no content for a model to phrase: it is drawn and said as it stands.
REACTIONS = (
    "oh nice",
    "haha same",
    "good to know",
    "makes sense",
    "never thought of that",
    "thats cool",
    "lol ok",
    "true",
    "huh interesting",
    "oh wow",
    "for real",
    "ha ha ok",
    "yeah i get that",
    "sounds about right",
    "no way",
    "thats funny",
    "oh i see",
    "fair enough",
    "lol same here",
    "wow ok",
    "yeah totally",
    "mhm",
    "right",
    "cool cool",
    "oh really",
    "haha love that",
    "not bad",
    "i bet",
    "thats wild",
    "aw thats nice",
    "yep",
    "ok good point",
)
SHORT = (
    "not really",
    "kind of",
    "hard to say",
    "sometimes",
    "not that much",
    "depends on the day",
    "yeah a bit",
    "no idea honestly",
    "i guess so",
    "once in a while",
    "not lately",
    "mostly yes",
    "eh so so",
    "used to",
)
NO_IDEA = (
    "hard to say",
    "no idea honestly",
    "cant think of one right now",
    "good question lol",
    "let me think about that",
    "not sure tbh",
    "nothing comes to mind",
)
DECLINES = ("not really my thing", "eh maybe not", "id rather not", "nah im good")
KNOWN = ("yeah i knew that", "i do that already", "ha i heard that one", "yep old trick", "everybody knows that lol")
"""What was offered is of no use to them."""
LEAVES = (
    "gotta go, bye",
    "ok ill leave it here, bye",
    "have to run, bye",
    "need to get going, bye",
    "ok thats it, bye",
)
STAYS = ("can we stay with {topic}", "lets stick to {topic}", "id rather talk about {topic}", "hm back to {topic} pls")
"""They do not follow to another topic."""
HURRIES = ("only have a minute", "in a bit of a rush", "cant text long", "on my way out")


def new(words: Sequence[str], turns: Sequence[Turn], draws: Random) -> str:
    """One that nobody has said yet in this chat."""
    said = {(t.text or "").lower().rstrip(".!") for t in turns}
    return draws.choice([w for w in words if w not in said] or list(words))


def short_answer(question: str, turns: Sequence[Turn], draws: Random) -> str:
    """An answer without content: "kind of" to what takes a yes or no, "hard to say" to what asks for more."""
    asks_for_more = question.lower().split(" ")[0] in ("what", "which", "where", "how", "who", "when", "why")
    return new(NO_IDEA if asks_for_more else SHORT, turns, draws)
