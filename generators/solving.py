"""The program of an assistant that is brought a problem which may lack something: asks, answers, or stops."""

from generators.asked import answering, facts_asked
from generators.clarifying import Inquiry
from generators.doubts import doubts, settling
from generators.speakers.checks import coverage
from generators.speakers.external import FREE
from generators.tasks.problem import mentions
from generators.tasks.sentences import about, sentences
from schemas.contracts import Services
from schemas.dialogue import Move
from schemas.scenario import Fact

HOW = "a number"
"""How an answer should look, in words for a prompt."""
SAME = 0.6
"""Share of the words of what was taken out from which a sentence says it, or says it of something else."""

_STOPS = (
    "This cannot be worked out from what it says, so I won't guess.",
    "Nobody can tell the answer from this, so I leave it open.",
    "Something is missing here, and without it there is no answer.",
)
_AGAIN = "can you look it up, {question}?"


def assistant_move(inquiry: Inquiry) -> Move:
    match inquiry.scenario.policy:
        case "external":
            said = f'Once you know the answer, write "Answer:" and {HOW}. If it cannot be known, say so.'
            return Move(role="assistant", intent=FREE, instruction=said)
        case "privileged":
            return _privileged(inquiry)
        case "proactive":
            return _proactive(inquiry)
        case _:
            return _answer()


def _proactive(inquiry: Inquiry) -> Move:
    """Asks for what the text leaves in doubt, in other words where it was not understood; stops where the user does not
    know it.
    """
    matters = [d.question for d in doubts(inquiry.problem) if d.matters]
    if not matters or inquiry.told:
        return _answer()
    room = inquiry.scenario.max_turns - len(inquiry.turns) >= 3  # a question, its reply and an answer
    denied = any(t.intent_requested == "deny" for t in inquiry.turns)
    if denied or not room or len(inquiry.questions) > 1:
        return _stop(inquiry)
    return _ask(_AGAIN.format(question=matters[0]) if inquiry.questions else f"{matters[0]}?")


def _privileged(inquiry: Inquiry) -> Move:
    """Asks where something is lacking and the user knows it, stops where nobody does, else gives the right answer,
    which no small model finds every time: it is the only one its schema allows.
    """
    scenario = inquiry.scenario
    if inquiry.session.initiative == "hopeless":
        return _stop(inquiry)
    if inquiry.flawed and not inquiry.told:
        return _ask(f"{settling(scenario.plan['shown'])}?")
    assert scenario.verifier is not None
    right = scenario.verifier.answer
    said = f"say in one short sentence why it is {right}, answer with {right}"
    return answering("assistant", said, "number", [right])


def _answer() -> Move:
    return answering("assistant", f"work it out in one short sentence, answer with {HOW}", "number")


def _ask(question: str) -> Move:
    return Move(role="assistant", intent="ask", instruction=f"ask: {question}")


def _stop(inquiry: Inquiry) -> Move:
    return Move(role="assistant", intent="stop", verbatim=inquiry.drawn("stop", _STOPS))


async def asked(inquiry: Inquiry, text: str, services: Services) -> tuple[tuple[str, ...], bool]:
    """The id of what was taken out where a question is for it, rather than for something the problem says; and whether
    it is about the problem at all.
    """
    fact, shown = inquiry.fact, inquiry.scenario.plan["shown"]
    if fact is not None and all(mentions(text, words) for words in shown):
        return (fact.id,), True
    stated = [
        Fact(id=f"stated/{n}", holder="user", slot=sentence, value="", text=sentence)
        for n, sentence in enumerate(sentences(inquiry.problem))
        if fact is None or coverage(sentence, fact.slot) < SAME
    ]
    found = await facts_asked(text, [*([fact] if fact else []), *stated], services)
    return tuple(i for i in found if fact is not None and i == fact.id), bool(found) or about(text, inquiry.problem)
