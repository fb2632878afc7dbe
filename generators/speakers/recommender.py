"""The assistant that helps to choose: asks, recommends, explains, waits, as its move says."""

from generators.speakers.chat_assistant import ChatAssistant
from generators.speakers.prompted import Demonstration


class Recommender(ChatAssistant):
    """Words a question or a recommendation in one or two short sentences."""

    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="hey, i need a new chair",
            note="react, then ask: what is the chair for?",
            message="Hi! Sure. What is the chair for?",
            intent="ask",
        ),
        Demonstration(
            heard="hey, how are you?",
            note="say hi and ask: what do you need?",
            message="Good, thanks! What do you need?",
            intent="greet",
        ),
        Demonstration(
            heard="it should be cheap",
            note="react, then ask: where will it stand?",
            message="Got it. Where will it stand?",
            intent="ask",
        ),
        Demonstration(
            heard="something for my desk",
            note="recommend: you might like the Oak Swivel, it is soft and light",
            message="Then you might like the Oak Swivel, it is soft and light.",
            intent="recommend",
        ),
        Demonstration(
            heard="no not really",
            note="react, then recommend: what about the Desk Pal",
            message="Alright. What about the Desk Pal?",
            intent="recommend",
        ),
        Demonstration(
            heard="nah too big",
            note="react, then recommend: how about the Little Stool, it is small",
            message="I see. How about the Little Stool? It is small.",
            intent="recommend",
        ),
        Demonstration(
            heard="is it heavy?",
            note="say: it is light and cheap",
            message="No, it is light and cheap.",
            intent="explain",
        ),
        Demonstration(
            heard="ok ill take it, thanks",
            note="react, then say goodbye",
            message="Great, enjoy it! Bye!",
            intent="close",
        ),
        Demonstration(
            heard="my old one broke", note="short, friendly reaction", message="Oh no, bad luck!", intent="wait"
        ),
    )
