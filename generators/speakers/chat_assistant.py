"""The assistant of an open conversation: reacts, offers, hands over from topic to topic, closes, as its move says."""

from collections.abc import Sequence
from typing import Any

from generators.latents.tagger import is_question
from generators.matching import carries
from generators.speakers.checks import fresh_opening, parroted, plain, pruned
from generators.speakers.prompted import Demonstration, PromptedSpeaker
from schemas.chat import Sampling
from schemas.contracts import Services
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.scenario import View


class ChatAssistant(PromptedSpeaker):
    """Puts a lead (offer, bridge, question, closing) or a mere reaction into one or two plain sentences."""

    system: str = "{brief} Text one or two short, plain sentences: exactly what the note in brackets says."
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="",
            note="say hi and ask: do you live near the sea?",
            message="Hi! Do you live near the sea?",
            intent="open",
        ),
        Demonstration(
            heard="nah, tiny flat lol",
            note="react, then offer: standing up once an hour helps the back",
            message="Cosy! By the way, standing up once an hour helps the back.",
            intent="offer",
        ),
        Demonstration(
            heard="no idea",
            note="react, then bridge to fishing: the river is full of trout; ask: do you ever fish?",
            message="Same. Speaking of rivers, ours is full of trout. Do you ever fish?",
            intent="bridge",
        ),
        Demonstration(heard="sunday plans?", note="say: i go swimming", message="I usually go swimming."),
        Demonstration(heard="lost at cards", note="short, friendly reaction", message="Oh no, bad luck!"),
    )
    sampling: Sampling = Sampling(temperature=0.5, min_p=0.1, max_tokens=35)

    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        text = turn.text or ""
        if turn.model:
            last = turns[-1] if turns and turns[-1].role != view.role else None
            heard = str(last.labels.get("clean", last.text)) if last else None
            text = fresh_opening(pruned(text, heard, move.labels.get("asks") is not False), view.role, turns)
        parroted(text, move.fallback or move.instruction, turns)
        offered = [f for f in view.facts if f.id in move.fact_ids]
        for fact in offered:
            if not await carries(text, fact.text, services):
                raise InvalidOutput(f"the message does not offer {fact.text!r}: {text!r}", "offer_not_said")
        named = {
            word for name in (move.labels.get("item"), *move.labels.get("names", ())) for word in plain(name or "")
        }
        if lacking := sorted(named - set(plain(text))):
            raise InvalidOutput(f"the message does not name {' '.join(lacking)!r}: {text!r}", "offer_not_said")
        says = move.labels.get("says")
        if says and not await carries(text, str(says), services):
            raise InvalidOutput(f"the message does not say {says!r}: {text!r}", "intent_not_met")
        question = move.labels.get("question")
        if question and not await carries(text, str(question), services, share=0.5):
            raise InvalidOutput(f"asks something other than {question!r}: {text!r}", "intent_not_met")
        bridge = move.labels.get("bridge")
        if bridge and not await carries(text, str(bridge), services, share=0.4):
            raise InvalidOutput(f"the message does not bridge by {bridge!r}: {text!r}", "bridge_not_said")
        if move.labels.get("asks") and not is_question(text):
            raise InvalidOutput(f"asked for a question, got {text!r}", "intent_not_met")
        if move.labels.get("asks") is False and is_question(text):
            raise InvalidOutput(f"asks where the move does not: {text!r}", "unwanted_question")
        known: dict[str, Any] = {
            "text": text,
            "intent_detected": move.intent,
            "facts_disclosed": tuple(f.id for f in offered),
            "facts_volunteered": tuple(f.id for f in offered if f.disclose == "volunteered"),
            "facts_asked": tuple(str(i) for i in move.labels.get("about", ())) if is_question(text) else (),
            "acts": ("ask",) if is_question(text) else (),
            "labels": {k: v for k, v in move.labels.items() if k != "about"},
        }
        return turn.model_copy(update=known)
