"""Small talk: its topics, and what people say there without a thought. The topics are in `small_talk.yaml`."""

from collections.abc import Sequence
from importlib import resources
from random import Random
from typing import Any

import yaml

from schemas.dialogue import Turn
from schemas.scenario import Fact

TOPICS: dict[str, dict[str, Any]] = yaml.safe_load(
    resources.files("generators.domains").joinpath("small_talk.yaml").read_text()
)
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


def tells_on(topic: str, draws: Random, count: int) -> list[tuple[str, str]]:
    questions = draws.sample(sorted(TOPICS[topic]["questions"]), count)
    return [(question, draws.choice(TOPICS[topic]["questions"][question])) for question in questions]


def topic_of(fact: Fact) -> str:
    return next((topic for topic, data in TOPICS.items() if fact.slot in data["questions"]), fact.slot)


def new(words: Sequence[str], turns: Sequence[Turn], draws: Random) -> str:
    """One that nobody has said yet in this chat."""
    said = {(t.text or "").lower().rstrip(".!") for t in turns}
    return draws.choice([w for w in words if w not in said] or list(words))


def short_answer(question: str, turns: Sequence[Turn], draws: Random) -> str:
    """An answer without content: "kind of" to what takes a yes or no, "hard to say" to what asks for more."""
    asks_for_more = question.lower().split(" ")[0] in ("what", "which", "where", "how", "who", "when", "why")
    return new(NO_IDEA if asks_for_more else SHORT, turns, draws)
