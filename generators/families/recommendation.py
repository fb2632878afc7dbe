"""Helping somebody choose (methods §1, §18): a person with constraints that come out only when asked for, hinted at or
volunteered, and an assistant that may ask, recommend, explain, wait or close. Every assistant turn logs the actions it
weighed, their probabilities, and how many items were still possible.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from generators.choice import Action, Outlook, asking, draw, entropy, recommending
from generators.counted import uttered, world
from generators.domains.recommendation import Case, Domain, Item, RecommendationDomain, load
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.intents import START
from generators.latents.session import CELLS, Cell, SessionLatents, draw_session, traits
from generators.latents.tagger import act_of, is_question
from generators.ledger import volunteering
from generators.matching import asked_for, named
from generators.seeker_moves import seeker_move
from generators.seeking import Talk
from generators.speakers.chat_user import TYPING, ChatUser
from generators.speakers.checks import coverage
from generators.speakers.recommender import Recommender
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import rng
from schemas.scenario import Disclosure, Fact, Scenario, View

_USUALLY_WANTED = 3.0
"""How many things matter to somebody who looks for something."""
_USUAL_PATIENCE = 4
"""How many messages that bring them nothing people put up with."""
_SAID_BACK = 0.5
"""Share of what the user has just said in a reason, from which the reason only says it back."""


_OFFERS = ("how about", "what about", "you might like", "I would suggest", "you should try")
_WHAT = ("what are you looking for", "what can I find for you", "what brings you here", "what would you like")


@cache
def _fitted() -> FittedLatents:
    return committed("recommendation_latents")


class Recommendation(Family):
    """Somebody looks for a film, a trip or a present; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": Recommender(), "user": ChatUser()}

    domain: Domain = "films"
    """What is looked for."""
    latents: Latents = Field(default_factory=_fitted)
    """What people are drawn from: the path of a file that `overture fit` wrote. Default: fitted on ReDial."""
    cells: dict[Cell, float] = Field(default_factory=lambda: dict(CELLS))
    """How often initiative is needed, needless, unwelcome or hopeless, by weight."""
    temperature: float = Field(default=0.02, ge=0)
    """Of the policies' softmax over actions; 0 takes the best."""
    max_turns: int = 14
    """Most messages of a dialogue."""

    @model_validator(mode="after")
    def _has_intents(self) -> Self:
        if self.latents.intents is None:
            raise ValueError(f"latents: have no turn intents: {self.latents.intents_missing}; name another file")
        return self

    def sample(self, rng: Random) -> Scenario:
        data = load(self.domain)
        case = rng.choice(data.cases)
        session = draw_session(rng, self.latents, case.opening, self.cells)
        wants = _wants(case, data, session, rng)
        beside = [
            Fact(
                id=f"beside/{name}",
                holder="user",
                slot=slot.about,
                value=name,
                text=rng.choice(slot.answers),
                required=False,
            )
            for name, slot in data.irrelevant.items()
        ]
        fits = [item.name for item in data.fitting(case.wants)]
        assert self.latents.intents is not None
        begins = self.latents.intents.probabilities(START, "start", 0)
        known = list(case.seen) if session.cell != "impossible" else fits
        decided = rng.choice(fits) if session.cell == "useless" else None
        counted = world(data, case, session.cell)
        return Scenario(
            family=self.name(),
            domain=data.name,
            base_case_id=f"{data.name}/{case.id}",
            seed=0,
            goal=f"the user finds {data.item} that has all they want",
            views={
                "assistant": View(
                    role="assistant", brief=data.recommender, private={"catalogue": _catalogue(data.name)}
                ),
                "user": View(
                    role="user",
                    brief=data.seeker,
                    facts=(*wants, *beside),
                    private={TYPING: session.person.typing().model_dump_json()},
                ),
            },
            session_latents=session.label(),
            plan={
                "opening": case.opening,
                "greets": rng.random() < begins["greet"],
                "hints": {slot: hint for slot, hint in case.hinted.items() if session.cell == "needed"},
                "seen": known,
                "last_word": rng.random() < self.latents.partner_ends,
                "decided": decided,
                "wants": dict(case.wants),
                "world": counted and counted.model_dump(mode="json"),
            },
            max_turns=self.max_turns,
        )

    def traits(self, scenario: Scenario) -> Mapping[str, str]:
        return traits(scenario.session_latents)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        talk = self._talk(scenario, turns)
        if turns and (over := _over(talk)):
            return over
        if not turns or turns[-1].role == "assistant" or talk.goes_on:
            return seeker_move(talk, self.latents)
        return self._assistant(talk)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """What is left to choose from, before an assistant's turn and after a user's; what each question could find out
        before the one, what was said of what could be by the other. Of a free assistant, what it asked and recommended.
        """
        if turn.role == "assistant" and turn.intent_requested == "free":
            turn = await _read(turn, load(self.domain), services)
        before, mine = self._talk(scenario, turns), turn.role == "assistant"
        left = (before if mine else self._talk(scenario, (*turns, turn))).candidates()
        labels = turn.labels | {"candidates": len(left), "entropy": round(entropy(left), 4)}
        if mine:
            labels["slot_bits"] = {slot: round(entropy(left, slot), 4) for slot in before.data.slots}
        elif said := uttered(before, turn):
            labels["uttered"] = [u.model_dump(mode="json") for u in said]
        return turn.model_copy(update={"labels": labels})

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        talk = self._talk(scenario, turns)
        asked = [i for t in turns if t.role == "assistant" for i in t.facts_asked]
        fits = talk.accepted is not None and talk.item(talk.accepted) in talk.targets()
        needed = {f.slot: len(turns) for f in scenario.views["user"].facts if f.required}
        done = talk.pushes == 0 and ending.reason == "closed_by_learner" if talk.session.cell == "useless" else fits
        return {
            "success": done,
            "accepted": talk.accepted,
            "fits": fits,
            "cell": talk.session.cell,
            "questions": len(asked),
            "irrelevant_questions": sum(i.startswith("beside/") for i in asked),
            "recommended": len(talk.recommended),
            "assistant_words": sum(len((t.text or "").split()) for t in turns if t.role == "assistant"),
            "pushes_after_refusal": talk.pushes,
            "civility_fault": talk.pushes >= 2,
            "volunteered": volunteering(scenario.views["user"], turns, needed, {}),
        }

    def _talk(self, scenario: Scenario, turns: Sequence[Turn]) -> Talk:
        return Talk.of(scenario, turns, load(self.domain))

    def _assistant(self, talk: Talk) -> Move:
        scenario, n = talk.scenario, len(talk.turns)
        if scenario.policy == "external":
            return Move(role="assistant", intent="free")
        draws = rng(scenario.seed, "action", n)
        if not talk.opened:
            weighed = [Action("greet", None, 1.0)]
        elif talk.accepted is not None or talk.said_bye or n >= scenario.max_turns - 1:
            weighed = [Action("close", None, 1.0)]
        elif (asked_of := talk.asks_about) is not None:
            weighed = [Action("explain", asked_of, 1.0)]
        else:
            weighed = self._actions(talk, draws)
        choice = draw(weighed, self.temperature, draws)
        labels = choice.labels
        if scenario.policy == "privileged":
            labels = labels | {"clairvoyant": _clairvoyant(talk, choice.action)}
        return _worded(talk, choice.action, labels)

    def _actions(self, talk: Talk, draws: Random) -> list[Action]:
        left = talk.candidates()
        outlook = _outlook(talk, left)
        items = recommending(outlook, draws)
        waiting = [Action("wait", None, 0.0), Action("close", None, 0.9 if not left else -1.0)]
        match talk.scenario.policy:
            case "proactive":
                if talk.shows("decided"):
                    return [*(a._replace(score=0.0) for a in items), Action("close", None, 1.0)]
                if talk.refused_questions or talk.shows("hurry") or len(left) < 2:
                    return [*items, *waiting]
                beside = [Action("ask", n, 0.1) for n in talk.data.irrelevant if f"beside/{n}" not in talk.asked]
                return [*asking(outlook), *beside, *items, *waiting]
            case "privileged":
                if talk.session.cell == "useless":
                    return [Action("close", None, 1.0)]
                hidden = [slot for slot in talk.wants if slot not in talk.known and slot not in talk.asked]
                targets = [Action("recommend", item.name, 1.0) for item in talk.targets()]
                return [*(Action("ask", slot, 0.96) for slot in hidden), *targets, *waiting]
            case _:
                return [*(a._replace(score=1.0) for a in items), *waiting]


@cache
def _catalogue(domain: str) -> str:
    """What there is to recommend, for somebody who plays freely."""
    return "\n".join(f"- {item.name}: {', '.join(item.has.values())}" for item in load(domain).items)


def _outlook(talk: Talk, left: Sequence[Item]) -> Outlook:
    """What was hinted at matters. Of the rest as many as people usually want, and one more than is known where an item
    that has all that is known was declined.
    """
    free = [slot for slot in talk.data.slots if slot not in talk.known and slot not in talk.asked]
    more = _USUALLY_WANTED - len(talk.known)
    if any(t.intent_requested == "decline" and not t.labels.get("known") for t in talk.judged):
        more = max(more, 1.0)
    hinted = [slot for slot in free if slot in talk.hinted]
    share = min(1.0, max(0.25, more - len(hinted)) / max(1, len(free) - len(hinted)))
    matters = {slot: 1.0 if slot in hinted else share for slot in free}
    answers = [t for t in talk.mine if t.intent_requested == "answer" and not t.labels.get("opens")]
    idle = sum(not t.facts_disclosed for t in answers)
    declined = sum(t.intent_requested == "decline" for t in talk.judged)
    patience = max(1, _USUAL_PATIENCE - idle - declined)
    return Outlook(left, matters, (talk.scenario.max_turns - len(talk.turns)) // 2, patience)


def _wants(case: Case, data: RecommendationDomain, session: SessionLatents, rng: Random) -> list[Fact]:
    facts: list[Fact] = []
    for slot, value in case.wants.items():
        how: Disclosure = "asked"
        if session.cell in ("given", "useless") or slot == case.first:
            how = "volunteered"
        elif session.cell == "hurry" and slot != case.hidden:
            how = "volunteered"  # who has no time says at once what matters
        elif slot in case.hinted:
            how = "hinted"
        elif slot != case.hidden and session.expertise == "expert":
            how = "volunteered"
        facts.append(
            Fact(
                id=slot,
                holder="user",
                slot=data.slots[slot].about,
                value=value,
                text=rng.choice(data.slots[slot].values[value]),
                disclose=how,
            )
        )
    return facts


def _over(talk: Talk) -> Ending | None:
    last = talk.turns[-1]
    if last.role == "user" and last.intent_requested == "bye" and talk.accepted is None:
        return Ending(reason="gave_up", by="user")
    if last.role == "assistant" and "close" in (last.intent_requested, last.intent_detected):
        return Ending(reason="goal_reached" if talk.accepted is not None else "closed_by_learner", by="assistant")
    if talk.accepted is not None and last.role == "user" and talk.last_word:
        return Ending(reason="goal_reached", by="user")
    return Ending(reason="max_turns") if len(talk.turns) >= talk.scenario.max_turns else None


async def _read(turn: Turn, data: RecommendationDomain, services: Services) -> Turn:
    """What somebody who plays freely asked for and recommended. More than two names are no recommendation."""
    text = turn.text or ""
    names = named(text, [item.name for item in data.items])
    slots = {slot: s.ask for slot, s in data.slots.items()} | {f"beside/{n}": s.ask for n, s in data.irrelevant.items()}
    asked = await asked_for(text, slots, services)
    labels = turn.labels | ({"item": names[0]} if 0 < len(names) <= 2 else {})
    leaves = not asked and not names and act_of([text]) == "close"
    return turn.model_copy(
        update={
            "labels": labels,
            "facts_asked": asked,
            "acts": ("ask",) if is_question(text) else (),
            "intent_detected": "close" if leaves else "recommend" if names else "ask" if asked else "wait",
        }
    )


def _clairvoyant(talk: Talk, action: Action) -> bool:
    """Whether an action follows from the hidden side alone: an item that what is known does not single out, a question
    about something never hinted at.
    """
    if action.kind == "recommend":
        return len(talk.candidates()) > 1
    return action.kind == "ask" and action.arg not in talk.hinted


def _worded(talk: Talk, action: Action, labels: dict[str, Any]) -> Move:
    match action.kind:
        case "ask":
            slot = str(action.arg)
            relevant = slot in talk.data.slots
            question = (talk.data.slots if relevant else talk.data.irrelevant)[slot].ask
            about = slot if relevant else f"beside/{slot}"
            return Move(
                role="assistant",
                intent="ask",
                instruction=f"react, then ask: {question}?",
                labels=labels | {"asks": True, "about": [about], "question": question},
            )
        case "recommend":
            item = talk.item(str(action.arg))
            form = rng(talk.scenario.seed, "form", len(talk.turns)).choice(_OFFERS)
            return Move(
                role="assistant",
                intent="recommend",
                instruction=f"react, then recommend: {form} {item.name}{_reason(talk, item)}",
                labels=labels | {"item": item.name},
            )
        case "explain":
            slot, item = str(action.arg), talk.item(talk.recommended[-1])
            said = f"say: {item.name} is {talk.data.slots[slot].item[item.has[slot]]}"
            return _tells("explain", said, labels | {"explains": slot})
        case "greet":
            question = rng(talk.scenario.seed, "greets").choice(_WHAT)
            said = labels | {"asks": True, "about": [], "question": question}
            return Move(role="assistant", intent="greet", instruction=f"say hi and ask: {question}?", labels=said)
        case "close":
            fits = talk.accepted is not None or talk.candidates()
            leave = "react, then say goodbye" if fits else "say nothing fits, then say goodbye"
            return _tells("close", leave, labels)
        case _:
            return _tells("wait", "short, friendly reaction", labels)


def _tells(intent: str, instruction: str, labels: dict[str, Any]) -> Move:
    return Move(role="assistant", intent=intent, instruction=instruction, labels=labels | {"asks": False})


def _reason(talk: Talk, item: Item) -> str:
    """What it has of what they want, but for what was said of an earlier one, or by themselves just now."""
    known = [talk.data.slots[slot].item[value] for slot, value in talk.known.items() if item.has[slot] == value]
    said, heard = " ".join(t.text or "" for t in talk.theirs), talk.turns[-1].text or ""
    fresh = [words for words in known if coverage(said, words) < 1 and coverage(words, heard) < _SAID_BACK]
    return f", it is {' and '.join(fresh[-2:])}" if fresh else ""
