"""Where a conversation goes: a path of topics with a target over the bridges of a domain, a detour the other side may
take, and what an assistant that leads does to walk the path (methods §6, §13).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from random import Random
from typing import Any, Literal, Self

from generators.domains.small_talk import TalkDomain, Topic
from generators.latents.session import SessionLatents
from generators.latents.tagger import is_question
from generators.ledger import told
from generators.speakers.external import FREE
from schemas.dialogue import Move, Turn
from schemas.identity import rng
from schemas.scenario import Scenario, Value

LEADS = ("offer", "bridge")
_LONGEST = 4
_ROOM = 8
"""Messages it takes to open, follow a detour, come back and close."""


def done(turn: Turn) -> str | None:
    """What a turn did: as it was asked to, or, of somebody who plays freely, as was read off its words."""
    return turn.intent_detected if turn.intent_requested == FREE else turn.intent_requested


class Digression(Value):
    """The user jumps to a topic of their own."""

    topic: str
    """Off the path, with a bridge to its second topic."""
    at: int
    """In their message of this number, from 0, or the first after it."""
    parks: bool
    """Whether the assistant means to come back to the very topic it was torn from."""


def draw_path(topics: Mapping[str, Topic], max_turns: int, draws: Random) -> list[str]:
    """Two to four topics, each with a bridge to the next; as many as there is time for. The last is the target."""
    length = draws.randint(2, max(2, min(_LONGEST, (max_turns - 4) // 2)))
    path = [draws.choice(sorted(topics))]
    while len(path) < length and (on := sorted(set(topics[path[-1]].bridges) - set(path))):
        path.append(draws.choice(on))
    return path


def draw_digression(
    topics: Mapping[str, Topic], path: Sequence[str], max_turns: int, draws: Random
) -> Digression | None:
    """None where no topic leads back, or there is no time for it."""
    leading = sorted(t for t in topics if t not in path and path[1] in topics[t].bridges)
    if not leading or max_turns < _ROOM:
        return None
    long = max_turns >= _ROOM + 4
    to_both = [t for t in leading if path[0] in topics[t].bridges]
    parks = long and bool(to_both) and draws.random() < 0.5
    at = draws.randint(0, 1 if long else 0)
    return Digression(topic=draws.choice(to_both if parks else leading), at=at, parks=parks)


@dataclass(frozen=True)
class Talk:
    """What a conversation has come to: a fold over scenario and turns."""

    scenario: Scenario
    turns: Sequence[Turn]
    data: TalkDomain
    session: SessionLatents
    uptake: str | None = None
    """What the next message first takes notice of, after a repair; None: of the last message."""
    stays: bool = False
    """Whether the next message must not change the topic: what is to be repaired refers to it."""

    @classmethod
    def of(cls, scenario: Scenario, turns: Sequence[Turn], data: TalkDomain) -> Self:
        return cls(scenario, turns, data, SessionLatents.model_validate(scenario.session_latents))

    @cached_property
    def mine(self) -> list[Turn]:
        """The user's."""
        return [t for t in self.turns if t.role == "user"]

    @cached_property
    def theirs(self) -> list[Turn]:
        """The assistant's."""
        return [t for t in self.turns if t.role == "assistant"]

    @property
    def last(self) -> Turn | None:
        return self.turns[-1] if self.turns else None

    @cached_property
    def path(self) -> list[str]:
        return list(self.scenario.plan["path"])

    @cached_property
    def topic(self) -> str:
        return next((t.labels["topic"] for t in reversed(self.turns) if "topic" in t.labels), self.path[0])

    @cached_property
    def told(self) -> set[str]:
        return {i for view in self.scenario.views.values() for i in told(view, self.turns)}

    @cached_property
    def had(self) -> set[str]:
        """Questions the chat has had, and what was told unasked."""
        asked = {str(t.labels["question"]) for t in self.turns if "question" in t.labels}
        return asked | {f.slot for f in self.scenario.facts if f.id in self.told}

    @cached_property
    def digression(self) -> Digression | None:
        planned = self.scenario.plan.get("digression")
        return None if planned is None else Digression.model_validate(planned)

    @cached_property
    def refused_at(self) -> int | None:
        """The turn in which the user turned down a lead, or let it be seen that they have no time for one."""
        for n, turn in enumerate(self.turns):
            led = n > 0 and done(self.turns[n - 1]) in LEADS
            if turn.role == "user" and (turn.labels.get("hurry") or (led and turn.intent_requested == "decline")):
                return n
        return None

    @property
    def handed_over(self) -> bool:
        """Whether the last message leads on in a way people follow: to one topic, over a bridge, from one that the
        assistant has spoken on.
        """
        assert self.last is not None
        if done(self.last) != "bridge":
            return True
        left, to = self.last.labels.get("from_topic"), self.last.labels.get("to_topic")
        spoken_on = any(t.labels.get("topic") == left for t in self.theirs)
        return left is not None and spoken_on and to in self.data.topics[left].bridges

    def shows(self, label: str) -> bool:
        return any(t.labels.get(label) for t in self.mine)

    @property
    def pushes(self) -> int:
        """Leads after a refusal."""
        later = [] if self.refused_at is None else self.turns[self.refused_at :]
        return sum(t.role == "assistant" and done(t) in LEADS for t in later)

    @cached_property
    def reached(self) -> int | None:
        """The turn in which the user took up the target topic."""
        return next(
            (
                n
                for n, t in enumerate(self.turns)
                if t.role == "user"
                and t.labels.get("topic") == self.path[-1]
                and t.intent_requested not in ("bye", "decline")
            ),
            None,
        )

    @property
    def reaction(self) -> str:
        """How an assistant's instruction begins."""
        return self.uptake or ("answer" if self.last and is_question(self.last.text or "") else "react")


def guide(talk: Talk) -> Move:
    """What an assistant that knows the user's hidden side does now. `clairvoyant`: asks for what is hidden, or does
    something else than one who knows what was said and no more.
    """
    move = _knowing(talk)
    hidden = {f.id for f in talk.scenario.views["user"].facts if f.disclose == "asked"} - talk.told
    knows = move.intent != lead(talk).intent or bool(hidden & set(move.labels.get("about", ())))
    return move.model_copy(update={"labels": {**move.labels, "clairvoyant": knows}})


def _knowing(talk: Talk) -> Move:
    """Leads those who follow, without delay; waits for a jump that is to come, offers once nothing is lost by it, and
    is gone before those who have to leave.
    """
    cell = talk.session.cell
    to_jump = talk.digression is not None and not talk.shows("digresses")
    if not talk.theirs:
        return lead(talk)
    if cell == "hurry" or talk.scenario.plan["leaves_early"]:
        return close(talk)
    if talk.refused_at is not None or talk.stays or to_jump or cell in ("refuses", "impossible"):
        return ask_on(talk)
    if talk.digression is not None and talk.topic == talk.digression.topic:
        return lead(talk)
    ahead = _ahead(talk)
    return _bridge(talk, ahead[0]) if ahead else _next_step(talk, offers=cell == "needed")


def lead(talk: Talk) -> Move:
    """What an assistant that leads does now: open, offer, ask, come back, or bridge to the next topic."""
    if not talk.theirs:
        return _ask(talk, "open", "say hi and ask", talk.path[0])
    if talk.shows("hurry"):
        return close(talk)
    if talk.refused_at is not None or talk.stays:
        return ask_on(talk)
    if talk.last is not None and talk.last.labels.get("digresses"):
        return _let_go(talk)
    if talk.digression is not None and talk.topic == talk.digression.topic:
        return _bridge(talk, _way_back(talk), returns=True)
    return _next_step(talk)


def close(talk: Talk) -> Move:
    lead_in = talk.uptake or "react"
    labels = {"topic": talk.topic}
    return Move(role="assistant", intent="close", instruction=f"{lead_in}, then say goodbye", labels=labels)


def ask_on(talk: Talk) -> Move:
    """A question on the user's topic that the chat has not had yet."""
    questions = sorted(talk.data.topics[talk.topic].questions)
    left = [q for q in questions if q not in talk.had] or questions
    if talk.scenario.policy == "privileged":
        left = [f.slot for f in talk.scenario.views["user"].facts if f.slot in left and f.id not in talk.told] or left
    question = rng(talk.scenario.seed, "follow", len(talk.turns)).choice(left)
    about = [f.id for f in talk.scenario.views["user"].facts if f.slot == question]
    labels = {"topic": talk.topic, "asks": True, "about": about, "question": question}
    return Move(role="assistant", intent="follow", instruction=f"react, then ask: {question}?", labels=labels)


def _next_step(talk: Talk, offers: bool = True) -> Move:
    """Offers and questions fill the time that the rest of the path does not need."""
    ahead = _ahead(talk)
    left = max(0, (talk.scenario.max_turns - 3 - len(talk.turns)) // 2 + 1)
    here = [t for t in talk.theirs if t.labels.get("topic") == talk.topic]
    offered = not offers or talk.shows("known") or any(t.intent_requested == "offer" for t in here)
    if left > len(ahead) and not offered and (step := _offer(talk)) is not None:
        return step
    if ahead:
        spare = left > len(ahead) + 1 and len(here) < 3
        direct = left <= 1 and talk.path[-1] in talk.data.topics[talk.topic].bridges
        return ask_on(talk) if spare else _bridge(talk, talk.path[-1] if direct else ahead[0])
    return ask_on(talk) if len(here) < 3 else close(talk)


def _ahead(talk: Talk) -> list[str]:
    walked = [n for n, topic in enumerate(talk.path) if any(t.labels.get("topic") == topic for t in talk.theirs)]
    return talk.path[max(walked) + 1 :]


def _offer(talk: Talk) -> Move | None:
    tips = [f for f in talk.scenario.views["assistant"].facts if f.slot == talk.topic and f.id not in talk.told]
    if not tips:
        return None
    return Move(
        role="assistant",
        intent="offer",
        instruction=f"{talk.reaction}, then offer: {tips[0].text}",
        fact_ids=(tips[0].id,),
        labels={"topic": talk.topic},
    )


def _bridge(talk: Talk, topic: str, returns: bool = False) -> Move:
    bridge = talk.data.topics[talk.topic].bridges[topic]
    back = {"returned_turn": len(talk.turns)} if returns else {}
    labels = {"bridge": bridge, "bridge_entity": bridge, **_handoff(talk.topic, topic, "closed"), **back}
    return _ask(talk, "bridge", f"{talk.reaction}, then bridge to {topic}: {bridge}; ask", topic, labels)


def _let_go(talk: Talk) -> Move:
    """The user has jumped to another topic: the one they left is parked, if it is to be taken up again, or closed."""
    left = next((str(t.labels["topic"]) for t in reversed(talk.theirs) if "topic" in t.labels), talk.path[0])
    parked = _way_back(talk) == left
    labels: dict[str, Any] = {"topic": talk.topic, "asks": False}
    labels |= _handoff(left, talk.topic, "parked" if parked else "closed")
    promise = f"we can come back to {left} later"
    if not parked:
        return Move(role="assistant", intent="follow", instruction="short, friendly reaction", labels=labels)
    return Move(role="assistant", intent="park", instruction=f"say: {promise}", labels=labels | {"says": promise})


def _way_back(talk: Talk) -> str:
    """The topic of the path that the assistant comes back to from a detour: the second, or the first where it parks."""
    digression = talk.digression
    first_only = not any(t.labels.get("topic") == talk.path[1] for t in talk.theirs)
    return talk.path[0] if digression is not None and digression.parks and first_only else talk.path[1]


def _handoff(left: str, topic: str, how: Literal["closed", "parked"]) -> dict[str, Any]:
    return {"from_topic": left, "to_topic": topic, "handoff": how}


def _ask(talk: Talk, intent: str, words: str, topic: str, handoff: Mapping[str, Any] | None = None) -> Move:
    """Asks what the user has something to tell about."""
    facts = [f for f in talk.scenario.views["user"].facts if talk.data.topic_of(f) == topic]
    fact = next((f for f in facts if f.slot not in talk.had), facts[0])
    labels: dict[str, Any] = {
        "topic": topic,
        "asks": True,
        "about": [fact.id],
        "topic_shift": handoff is not None,
        "question": fact.slot,
        **(handoff or {}),
    }
    return Move(role="assistant", intent=intent, instruction=f"{words}: {fact.slot}?", labels=labels)


def handoffs(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    """Each change of topic: which topic was closed or parked in which turn, and when a parked one was taken up again
    (None: never).
    """
    found: list[dict[str, Any]] = []
    for n, turn in enumerate(turns):
        if "from_topic" not in turn.labels:
            continue
        left = turn.labels["from_topic"]
        back = next((m for m, t in enumerate(turns) if m > n and t.labels.get("to_topic") == left), None)
        found.append(
            {
                "turn": n,
                "from_topic": left,
                "to_topic": turn.labels["to_topic"],
                "bridge_entity": turn.labels.get("bridge_entity"),
                "handoff": turn.labels["handoff"],
                "returned_turn": back,
            }
        )
    return found
