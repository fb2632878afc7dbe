"""The two sides of a problem that is told in pieces: who tells it, and who is to solve it."""

import re
from collections.abc import Sequence

from generators.noise.typing import CLEAN, TypingStyle, typed
from generators.speakers.chat_user import TYPING, ChatUser
from generators.speakers.prompted import Demonstration
from generators.speakers.student import Student
from generators.tasks.sharding import quantities, shown
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import rng
from schemas.scenario import View

_AMOUNTS = re.compile(
    r"\b(?:half|third|quarter|once|twice|thrice|doubled?|tripled?|dozen|hundred|thousand|zero|one|two|three|four|five"
    r"|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)\b",
    re.IGNORECASE,
)


class Piecemeal(ChatUser):
    """Tells one shard of a problem a message, shortly, with all of its quantities and no other."""

    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(heard="How many boxes are there?", note="rewrite: There are 6 boxes.", message="theres 6 boxes"),
        Demonstration(
            heard="It is 12 kilos.",
            note="rewrite: wait, each box weighs twice as much as Ben's.",
            message="wait each box is twice as heavy as Ben's",
        ),
        Demonstration(
            heard="Ok, go on.",
            note="rewrite: Ben walks 3 miles every morning.",
            message="Ben does 3 miles every morning",
        ),
        Demonstration(
            heard="What colour is the bike?", note="rewrite: The old bike is green.", message="the old bikes green"
        ),
    )

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        said = await super().label(turn, view, turns, move, services)
        clean = str(said.labels["clean"])
        wanted, told = set(quantities(move.plain or "")), set(quantities(clean))
        if lost := wanted - told:
            raise InvalidOutput(f"the message lacks {shown(lost)}: {clean!r}", "fact_not_said")
        if other := told - wanted:
            raise InvalidOutput(f"the message has {shown(other)}, too: {clean!r}", "adds_words")
        return said.model_copy(update={"text": _typed(clean, view, turns)})


class Assembler(Student):
    """Asks in one sentence; answers as `{say, answer}` under a schema."""

    system: str = "{brief} Somebody texts you a problem. Text one short sentence: what the note in brackets says."

    def shown(self, spoken: Sequence[Turn], move: Move) -> Sequence[Turn]:
        """What is known lies anywhere in what was said: only a question whose words are given needs less."""
        return spoken[-1:] if self.history is not None and "question" in move.labels else spoken


def _typed(clean: str, view: View, turns: Sequence[Turn]) -> str:
    """The message as this person types it; names and amounts letter by letter."""
    style = TypingStyle.model_validate_json(view.private[TYPING]) if TYPING in view.private else CLEAN
    names = [word for word in re.findall(r"[^\W\d_]+", clean)[1:] if word.istitle() and word != "I"]
    return typed(clean, style, rng(len(turns), TYPING, clean), keep=[*names, *_AMOUNTS.findall(clean)])
