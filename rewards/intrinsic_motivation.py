"""What the learner thinks to itself before each of its turns, silent ones too, and whether it wants to say it (methods
§14, Inner Thoughts).
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import Field

from rewards.motives import HIGH, LOW, Occasion, Scored, Thresholds, adjusted, decide, floor_of, occasions, turns_silent
from rewards.solving import drawn, not_drawn
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import JUDGE, ChatModel, Reward, Services
from schemas.dialogue import Dialogue, Turn
from schemas.errors import ContentError
from schemas.identity import derive, stable_hash
from schemas.judgement import RewardValue

if TYPE_CHECKING:
    import numpy as np

NAME = "intrinsic_motivation"
EVENTS, MEMORIES, THOUGHTS, RATED_BY = 5, 5, 3, 10
"""Shown of what was said, of what it knows, of what it thought before; of what it knows where a thought is rated."""
SALIENT = 0.25
_THINK = "You are the {role} in a conversation. {brief} You write down what goes through your mind, not what you say. "
_QUICK = (
    "ONE quick thought of less than 15 words: your first reaction to what was said last."
    " Like: That is sooner than I thought."
)
_SLOW = (
    "TWO different thoughts of less than 15 words that come from what you know or thought before: what you may want to"
    " ask, tell or offer, or keep to yourself, each with the ids of what it comes from."
    " Like: They never said when it begins."
)
_RATE = (
    "You rate how much the {role} in a conversation wants to say a thought now: 1.0 stays silent for certain, 2.0 would"
    " wait for a pause, 3.0 may or may not, 4.0 wants to speak next, 5.0 would interrupt. Use the whole range; what"
    " anybody could think is worth little. First tell the reasons for saying it, then those against it, of: what the"
    " {role} knows, what the {role} wants to know, what the others want to know, impact, urgency, fit to the last"
    " message, news, balance between the speakers, somebody else who wants to speak. Each reason moves the rating by"
    " 0.1 to 0.3."
)
_LONGEST, _REASON = 120, 80
"""Letters of a thought, and of a reason. What is asked for has a token for each of them, so that no answer is cut."""
_LINE: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": _LONGEST}
_WHY: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": _REASON}
_RATING = {"enum": [tenths / 10 for tenths in range(round(LOW * 10), round(HIGH * 10) + 1)]}
Share = Annotated[float, Field(ge=0, le=1)]
Score = Annotated[float, Field(ge=LOW, le=HIGH)]


class Thought(NamedTuple):
    """One of `parts["thoughts"]`."""

    type: str
    text: str
    stimuli: tuple[str, ...]
    """Ids of `parts["shown"]`; a quick one has none."""
    score_raw: float
    score_adj: float
    reasons_for: str
    reasons_against: str
    selected: bool = False


class Item(NamedTuple):
    """What the learner knows or thought, with how much the last message brings it up."""

    text: str
    vector: "np.ndarray"
    saliency: float = 1.0


class IntrinsicMotivation(Reward):
    """How much the learner wants to speak: the best adjusted score of three thoughts, one quick and two of what it
    knows, from 1 to 5. `parts`: the thoughts with raw and adjusted scores and reasons, what they come from, `floor`,
    `turns_silent`, the `decision` that follows from them by the thresholds and the `draw` (`rewards.motives.decide`),
    and whether the learner `spoke`.

    The learner's own model thinks, from its view alone; the role `judge` rates where there is one, else the same model.
    What comes to mind is as near to the last message as its words (the method's b = c = decay = 1, without an
    interpretation). None where no model thinks (`no_model`), or it or the judge gave no answer to a call.
    """

    im_threshold: Score = 3.5
    """From which a thought is said where anybody may speak."""
    interrupt_threshold: Score = 4.0
    """From which it is said where it is the other's turn."""
    quick: Share = 0.3
    """How often a quick thought is said where anybody may speak and no thought reaches `im_threshold`."""
    share: float = Field(default=1.0, gt=0, le=1)
    """Of the turns, drawn by chance; the same ones as a solver's rewards of this share."""

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        role = "external" if dialogue.scenario.policy == "external" else dialogue.learner
        places = occasions(dialogue)
        if role not in services.chat or not places:
            reason = "no_model" if places else "no_learner_turns"
            return [RewardValue(name=NAME, scope="turn", value=None, reason=reason)]
        mind = Mind(dialogue, services, services.chat[role], services.chat.get(JUDGE, services.chat[role]))
        return [
            await self._value(mind, occasion)
            if drawn(dialogue, occasion.place, self.share)
            else not_drawn(NAME, occasion.place)
            for occasion in places
        ]

    async def _value(self, mind: "Mind", occasion: Occasion) -> RewardValue:
        place, before = occasion.place, mind.dialogue.turns[: occasion.place]
        silent, floor = turns_silent(before, mind.dialogue.learner), floor_of(before, mind.dialogue.learner)
        try:
            thoughts, shown = await mind.thoughts(place, silent)
        except ContentError as fault:
            return RewardValue(name=NAME, scope="turn", turn=place, value=None, reason=fault.reason)
        draw = derive(mind.dialogue.scenario.seed, NAME, mind.dialogue.id, place) / 2**63
        given = Thresholds(self.im_threshold, self.interrupt_threshold, self.quick)
        decision, chosen = decide([scored(t) for t in thoughts], floor, draw, given)
        if chosen is not None:
            thoughts[chosen] = thoughts[chosen]._replace(selected=True)
        mind.keep(thoughts)
        parts: dict[str, Any] = {
            "thoughts": [t._asdict() for t in thoughts],
            "shown": shown,
            "saliency": mind.saliency,
            "turns_silent": silent,
            "floor": floor,
            "thresholds": given._asdict(),
            "draw": draw,
            "decision": decision,
            "spoke": occasion.spoke,
            "thinker": mind.thinker,
        }
        value = max(t.score_adj for t in thoughts)
        return RewardValue(name=NAME, scope="turn", turn=place, value=value, parts=parts, grader=mind.grader)


def scored(thought: Thought) -> Scored:
    return Scored("quick" if thought.type == "quick" else "slow", thought.score_adj)


class Mind:
    """What the learner of one dialogue knows and has thought so far."""

    def __init__(self, dialogue: Dialogue, services: Services, thinks: ChatModel, rates: ChatModel):
        self.dialogue, self.thinker, self.grader = dialogue, "", ""
        self._embed, self._thinks, self._rates = services.embed, thinks, rates
        self.saliency: dict[str, float] = {}
        """Of what was shown last of its memories and old thoughts, by id."""
        self._known: list[Item] | None = None
        self._withheld: list[Item] = []
        self._fresh: list[tuple[str, np.ndarray]] = []

    async def thoughts(self, place: int, silent: int) -> tuple[list[Thought], dict[str, str]]:
        """Three thoughts before turn number `place`, rated, and what was shown of by its id. Raises ContentError."""
        said = _lines(self.dialogue.turns[:place])[-EVENTS:]
        known = await self._salient(said[-1:])
        shown = {f"CON#{n}": line for n, line in enumerate(said, 1)}
        old = sorted((i for i in self._withheld if i.saliency >= SALIENT), key=lambda i: -i.saliency)
        brought = {f"MEM#{n}": item for n, item in enumerate(known[:MEMORIES], 1)}
        brought |= {f"THO#{n}": item for n, item in enumerate(old[:THOUGHTS], 1)}
        self.saliency = {i: item.saliency for i, item in brought.items()}
        shown |= {i: item.text for i, item in brought.items()}
        formed = [("quick", await self._quick(place, said), ())]
        formed += [("slow", text, ids) for text, ids in await self._slow(place, shown)]
        vectors = await self._embed.embed([text for _, text, _ in formed])
        self._fresh = [(text, vector) for (_, text, _), vector in zip(formed, vectors, strict=True)]
        rated: list[Thought] = []
        for number, (kind, text, ids) in enumerate(formed):
            data = (await self._rated(place, number, said, known[:RATED_BY], text)).data
            raw = float(data["rating"])
            rated.append(Thought(kind, text, ids, raw, adjusted(raw, silent), data["reasons_for"], data["against"]))
        return rated, shown

    def keep(self, thoughts: Sequence[Thought]) -> None:
        """What was not said stays in mind; quick thoughts are forgotten."""
        kept = [t.text for t in thoughts if t.type == "slow" and not t.selected]
        self._withheld += [Item(text, vector) for text, vector in self._fresh if text in kept]

    async def _salient(self, last: Sequence[str]) -> list[Item]:
        """What it knows that the last message brings up, first what is nearest to it; at the start all is as near."""
        if self._known is None:
            texts = self._memories()
            vectors = await self._embed.embed(texts) if texts else ()
            self._known = [Item(text, vector) for text, vector in zip(texts, vectors, strict=True)]
        if last:
            [heard] = await self._embed.embed(last)
            self._known = [i._replace(saliency=round(float(i.vector @ heard), 6)) for i in self._known]
            self._withheld = [i._replace(saliency=round(float(i.vector @ heard), 6)) for i in self._withheld]
        return sorted((i for i in self._known if i.saliency >= SALIENT), key=lambda i: -i.saliency)

    def _memories(self) -> list[str]:
        """The learner's facts and the lines of what else it alone knows, and what everybody sees."""
        view = self.dialogue.scenario.views.get(self.dialogue.learner)
        if view is None:
            return []
        lines = [*(f.text for f in view.facts), *"\n".join([view.public, *view.private.values()]).splitlines()]
        return list(dict.fromkeys(line.strip() for line in lines if line.strip()))

    async def _quick(self, place: int, said: Sequence[str]) -> str:
        asked = [self._system(_QUICK), Message("user", "\n".join(["Said so far:", *said] if said else ["You begin."]))]
        reply = await self._ask(
            self._thinks, place, "quick", asked, {"thought": _LINE}, Sampling(temperature=0.8, max_tokens=_LONGEST + 20)
        )
        self.thinker = reply.model
        return str(reply.data["thought"])

    async def _slow(self, place: int, shown: dict[str, str]) -> list[tuple[str, tuple[str, ...]]]:
        heads = {"CON": "Said so far:", "MEM": "What you know:", "THO": "What you thought before:"}
        lines: list[str] = []
        for kind, head in heads.items():
            found = [f"{i} {text}" for i, text in shown.items() if i.startswith(kind)]
            lines += [head, *found] if found else []
        ids = {"type": "array", "items": {"enum": list(shown)}, "minItems": 1, "maxItems": 3}
        fields = {"text": _LINE} | ({"stimuli": ids} if shown else {})
        two = {"type": "array", "items": _object(fields), "minItems": 2, "maxItems": 2}
        asked = [self._system(_SLOW), Message("user", "\n".join(lines or ["You begin."]))]
        sampling = Sampling(temperature=0.5, max_tokens=2 * _LONGEST + 120)
        reply = await self._ask(self._thinks, place, "slow", asked, {"thoughts": two}, sampling)
        return [(str(t["text"]), tuple(dict.fromkeys(t.get("stimuli", ())))) for t in reply.data["thoughts"]]

    async def _rated(self, place: int, number: int, said: Sequence[str], known: Sequence[Item], text: str) -> ChatReply:
        role = self.dialogue.learner
        lines = ["Said so far:", *(said or ["nothing"]), f"What the {role} knows:", *(i.text for i in known)]
        system = Message("system", _RATE.format(role=role))
        asked = [system, Message("user", "\n".join([*lines, f"Thought of the {role}: {text}"]))]
        fields = {"reasons_for": _WHY, "against": _WHY, "rating": _RATING}
        sampling = Sampling(temperature=0.1, max_tokens=2 * _REASON + 60)
        reply = await self._ask(self._rates, place, f"rate/{number}", asked, fields, sampling)
        self.grader = f"{reply.model} {stable_hash(system.content)} temperature={sampling.temperature}"
        return reply

    def _system(self, instruction: str) -> Message:
        view = self.dialogue.scenario.views.get(self.dialogue.learner)
        who = _THINK.format(role=self.dialogue.learner, brief=view.brief if view is not None else "")
        return Message("system", who + instruction)

    async def _ask(
        self,
        model: ChatModel,
        place: int,
        step: str,
        asked: Iterable[Message],
        fields: dict[str, Any],
        sampling: Sampling,
    ) -> ChatReply:
        key = CallKey(turn=place, step=f"thought/{step}")
        seed = derive(self.dialogue.scenario.seed, place, key.step)
        return await model.ask(ChatRequest(key, tuple(asked), sampling, seed, json_schema=_object(fields)))


def _object(fields: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}


def _lines(turns: Iterable[Turn]) -> list[str]:
    return [f"{t.role.capitalize()}: {t.text}" for t in turns if t.kind == "utterance" and t.text]
