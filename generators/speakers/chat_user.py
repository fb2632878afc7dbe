"""The user of an open conversation: a person texting, with a session profile and a way of typing."""

import re
from collections.abc import Sequence
from typing import Any

from generators.latents.tagger import is_question, since, tag
from generators.matching import carries, told_early
from generators.noise.courtesy import courteous
from generators.noise.typing import CLEAN, TypingStyle, typed
from generators.speakers.checks import added, fresh_opening, parroted, pruned, scrambled, trimmed
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from schemas.chat import Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import rng
from schemas.scenario import Fact, View

_ASKS_WHAT = re.compile(r"\b(what|whats|who|whos|where|when|which|why|how)\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(i|im|ive|id|ill|i'\w+|my|me|we|our)\b", re.IGNORECASE)
_AGREES = re.compile(r"(yes|yeah|yep|yup|ya|right|exactly|sure|correct|true|ok|okay)\b", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d|^(two|three|four|five|six|seven|nine|ten|eleven|twelve|dozen|hundred|thousand|half|quarter|fort(y|ie)?)$"
    r"|^(twent|thirt|fift|sixt|sevent|eight|ninet)"
)
_SUBJECT = re.compile(r"^(i|im|ive|id|ill|i'\w+)\b", re.IGNORECASE)
_OTHER = re.compile(r"\b(you|your|u|ur)\b|^(hey,? )?take\b", re.IGNORECASE)


TYPING = "typing"
"""Under this name a view holds how its role types: a `TypingStyle` as JSON."""


class ChatUser(PromptedSpeaker):
    """Rewrites the program's words as a short text message, typed the way this user types.

    Small models leave a role that is played; asked to rewrite a message they keep to what it says.
    """

    system: str = (
        "{brief} You rewrite your text messages: keep what they say, change a few words, casual, one short line."
    )
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="", note="rewrite: i broke my phone again", message="ugh, broke my phone again", intent="share"
        ),
        Demonstration(
            heard="Do you live near the sea?",
            note="rewrite: i live in a tiny flat downtown",
            message="nah im in this tiny flat downtown",
        ),
        Demonstration(
            heard="What happened?", note="rewrite: my brother broke the tv", message="well my brother broke our tv lol"
        ),
        Demonstration(
            heard="Where should it be?",
            note="rewrite: i want a quiet place, not too far",
            message="somewhere quiet and not too far away please",
        ),
        Demonstration(
            heard="",
            note="rewrite: hey, do you live near the sea?",
            message="hey! so do you live by the sea?",
            intent="ask",
        ),
        Demonstration(
            heard="You could try yoga, by the way.",
            note="rewrite: i hate yoga, you?",
            message="ugh i hate yoga, do you do it?",
            intent="answer_ask",
        ),
    )
    sampling: Sampling = Sampling(temperature=0.6, min_p=0.1, max_tokens=30)
    attempts: int = 3
    adds: int | None = 1
    """Content words that a message may have and what it rewrites has not: small models make things up. null: any, for
    a model that does not.
    """

    def note(self, move: Move) -> str:
        return f"rewrite: {move.fallback or move.instruction}"

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        asks = move.intent in ASKING and not move.tail
        may_ask = asks or move.intent in _MAY_ASK
        heard = turns[-1].text if turns and turns[-1].role != view.role else None
        text = turn.text or ""
        if turn.model:
            text = fresh_opening(pruned(text, heard, asks), view.role, turns)
            if self.adds is not None and not asks:
                text = trimmed(text, move.fallback or move.instruction)
            if not may_ask and not is_question(text.rstrip("?")) and not _OTHER.search(text):
                text = text.rstrip("?")  # "just two goldfish?" for "i just have two goldfish"
        told = [f for f in view.facts if f.id in move.fact_ids]
        whole = f"{text.rstrip('.!, ')}{move.tail}" if move.tail else text
        await _says(whole, told, view, turns, move, services)
        if asks and not is_question(text):
            raise InvalidOutput(f"asked for a question, got {text!r}", "intent_not_met")
        if move.verbatim is None and not may_ask and is_question(text):
            raise InvalidOutput(f"asks where the move does not: {text!r}", "unwanted_question")
        parroted(text, move.fallback or move.instruction, turns)
        new = added(text, move.fallback or move.instruction, heard) if turn.model else ()
        if self.adds is not None and (len(new) > self.adds or any(_NUMBER.search(word) for word in new)):
            raise InvalidOutput(f"adds {', '.join(sorted(new))}: {text!r}", "adds_words")
        if turn.model and self.adds is not None and scrambled(text, move.fallback or move.instruction):
            raise InvalidOutput(f"turns the words of {move.fallback!r} round: {text!r}", "scrambled")
        if "corrects" in move.labels and _AGREES.match(text):
            raise InvalidOutput(f"agrees where it corrects: {text!r}", "intent_not_met")
        clean = _written_out(_courteous(whole, view, turns, move))
        known: dict[str, Any] = {
            "text": _typed(clean, view, turns),
            "labels": {**turn.labels, "clean": clean},
            "intent_detected": tag(whole, *since(turns, view.role)).intent,
            "facts_disclosed": tuple(f.id for f in told),
            "facts_volunteered": tuple(f.id for f in told if not _asked_for(f, turns, view)),
            "acts": ("ask",) if is_question(whole) else (),
        }
        return turn.model_copy(update=known)


ASKING = ("ask", "answer_ask")
_MAY_ASK = ("request", "bye")


def _asked_for(fact: Fact, turns: Sequence[Turn], view: View) -> bool:
    """A question that no fact was matched to may be about any."""
    last = turns[-1] if turns and turns[-1].role != view.role else None
    if last is None:
        return False
    return fact.id in last.facts_asked if last.facts_asked else is_question(last.text or "")


async def _says(
    text: str, told: Sequence[Fact], view: View, turns: Sequence[Turn], move: Move, services: Services
) -> None:
    """Raises InvalidOutput where the message lacks what it has to say, or tells what it must not."""
    for fact in told:
        if not await carries(text, fact.text, services):
            raise InvalidOutput(f"the message does not say {fact.text!r}: {text!r}", "fact_not_said")
        _of_themselves(text, fact.text)
    wanted = move.labels.get("question") if move.intent == "ask" else move.labels.get("says")
    if wanted and not await carries(text, str(wanted), services, share=0.5):
        raise InvalidOutput(f"does not say {wanted!r}: {text!r}", "intent_not_met")
    if wanted and move.intent != "ask" and added(text, str(wanted), None):
        _of_themselves(text, str(wanted))
    if wanted and _ASKS_WHAT.match(str(wanted)) and not _ASKS_WHAT.search(text):
        raise InvalidOutput(f"lost the question word of {wanted!r}: {text!r}", "intent_not_met")
    out = {i for t in turns for i in t.facts_disclosed}
    hidden = [f for f in view.facts if f.id not in out and f not in told]
    if move.verbatim is not None or not hidden:
        return
    meant = Fact(id="", holder=view.role, slot="", value="", text=move.plain or move.instruction)
    if early := await told_early(text, [*told, meant], hidden, services):
        raise InvalidOutput(f"the message gives {early.text!r} away: {text!r}", "told_early")


def _of_themselves(text: str, said: str) -> None:
    """Raises InvalidOutput where what they say of themselves is said of nobody or of the other; texts drop an I."""
    own = said if _OTHER.search(text) else _SUBJECT.sub("", said)
    if _PERSON.search(own) and not _PERSON.search(text):
        raise InvalidOutput(f"does not speak of itself: {text!r}", "fact_not_said")


def _written_out(text: str) -> str:
    """With capitals and a stop: models write like their examples, whoever they play."""
    text = re.sub(r"\bi\b", "I", text[:1].upper() + text[1:])
    return f"{text}." if text[-1:].isalnum() else text


def _style(view: View) -> TypingStyle:
    return TypingStyle.model_validate_json(view.private[TYPING]) if TYPING in view.private else CLEAN


def _courteous(text: str, view: View, turns: Sequence[Turn], move: Move) -> str:
    """With a word of courtesy, but for troubles: their words are what they are about."""
    if "trouble_part" in move.labels:
        return text
    return courteous(text, move.intent, _style(view).polite, rng(len(turns), "courtesy", text))


def _typed(clean: str, view: View, turns: Sequence[Turn]) -> str:
    """The message as this person types it."""
    style = _style(view)
    names = [word for word in clean.split() if word.istitle() and word != "I"][1:]
    return typed(clean, style, rng(len(turns), TYPING, clean), keep=names)
