"""The user who brings a problem: poses it as it stands, tells what was asked for, typed the way its person types."""

from collections.abc import Sequence

from generators.speakers.chat_user import ChatUser
from generators.speakers.prompted import Demonstration
from generators.tasks.problem import mentions
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import View


class Asker(ChatUser):
    """Rewrites the program's words as a short text message; numbers stay."""

    system: str = (
        "{brief} You rewrite your text messages: keep what they say and every number, change a few words, casual, one"
        " short line."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="How many boxes are there?",
            note="rewrite: ah sorry, there are 6 boxes",
            message="oh sorry, there are 6 boxes",
            intent="tell",
        ),
        Demonstration(
            heard="How tall is the door?",
            note="rewrite: i looked again and the door is 2 metres tall",
            message="ok looked it up, the door is 2 metres tall",
            intent="tell",
        ),
        Demonstration(
            heard="Which number is correct, 30 or 45?",
            note="rewrite: oh right, the bus has 30 seats, and the other one is a typo",
            message="oh yes the bus has 30 seats, the other one is a typo",
            intent="tell",
        ),
    )

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        if move.intent == "pose":
            return turn
        lost = [f.value for f in view.facts if f.id in move.fact_ids and not mentions(turn.text or "", f.value)]
        if lost:
            raise InvalidOutput(f"the message does not say {lost[0]!r}: {turn.text!r}", "fact_not_said")
        return await super().label(turn, view, turns, move, services)
