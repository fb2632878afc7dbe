"""The assistant that asks something of people: says what it knows, asks, and takes a no."""

from collections.abc import Sequence

from generators.speakers.chat_assistant import ChatAssistant
from generators.speakers.prompted import Demonstration
from schemas.chat import Sampling
from schemas.dialogue import Move, Turn


class Outreacher(ChatAssistant):
    """Words what its move says in one or two short sentences, with a question behind it where there is one."""

    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="",
            note="say hi and ask: how is your week going?",
            message="Hi! How is your week going?",
            intent="hello",
        ),
        Demonstration(
            heard="not bad, bit tired",
            note="react, then ask: would you sing in our choir on Tuesdays?",
            message="I see! Would you sing in our choir on Tuesdays?",
            intent="request",
        ),
        Demonstration(
            heard="no thanks",
            note="say: the songs are easy; ask: so what do you say?",
            message="The songs are really easy. So what do you say?",
            intent="request",
        ),
        Demonstration(
            heard="i cant read music though",
            note="say: nobody there has to read music",
            message="Oh, nobody there has to read music.",
            intent="answer",
        ),
        Demonstration(
            heard="my evenings are so short",
            note="say: we stop at eight; ask: are you in?",
            message="I understand. We stop at eight. Are you in?",
            intent="answer",
        ),
        Demonstration(
            heard="good, just waiting for the bus",
            note="react, then ask: is there anything about singing that worries you?",
            message="Nice. Is there anything about singing that worries you?",
            intent="ask",
        ),
        Demonstration(
            heard="idk, maybe",
            note="say: the songs are easy; ask: would the evening be a problem?",
            message="The songs are easy. Would the evening be a problem?",
            intent="ask",
        ),
        Demonstration(
            heard="my dog is sleeping on my foot lol",
            note="react, then ask: do you like dogs better than cats?",
            message="Haha, sweet! Do you like dogs better than cats?",
            intent="follow",
        ),
        Demonstration(
            heard="no, please leave me alone",
            note="react, then say goodbye",
            message="That is fine, sorry to bother you. Goodbye!",
            intent="withdraw",
        ),
    )
    sampling: Sampling = Sampling(temperature=0.5, min_p=0.1, max_tokens=60)
    """Room for something said and a question behind it."""

    def shown(self, spoken: Sequence[Turn], move: Move) -> Sequence[Turn]:
        """With a short history, what is only to be said is worded from the note alone: a small model says back what it
        hears.
        """
        return () if self.history is not None and move.instruction.startswith("say: ") else super().shown(spoken, move)
