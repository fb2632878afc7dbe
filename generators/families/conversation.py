"""Open conversation in which the assistant leads: it opens, offers things unasked, walks a path of topics to a target
by bridges, repairs what went wrong on the way, and closes (methods §6, §13). Leading is not always right: some users
have told everything, are in a hurry, refuse to be led, or never follow.

The user's side is drawn from what was fitted on real chat (`overture fit`): intents, lengths, ways of typing, leaving;
what a user may tell are facts, which come out when asked or when an intent volunteers them (`generators.ledger`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise
from random import Random
from typing import Any, ClassVar, Self

from pydantic import Field, model_validator

from generators import trouble
from generators.chatting import DRAWN, texts_again, user_move
from generators.domains.small_talk import Domain, TalkDomain, load
from generators.latents.fitted import FittedLatents, Latents, committed
from generators.latents.session import CELLS, Cell, SessionLatents, draw_session, traits
from generators.latents.tagger import act_of, is_question
from generators.matching import asked_for
from generators.speakers.chat_assistant import ChatAssistant
from generators.speakers.chat_user import TYPING, ChatUser
from generators.speakers.checks import coverage
from generators.speakers.external import FREE
from generators.topics import Digression, Talk, close, done, draw_digression, draw_path, guide, handoffs, lead
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import rng
from schemas.scenario import Disclosure, Fact, Scenario, View


@cache
def _small_talk() -> FittedLatents:
    return committed("small_talk_latents")


TROUBLED: tuple[Cell, ...] = ("needed", "given", "useless", "impossible")
"""Cells whose users stay long enough to be understood in the end."""
_TOLD = 0.7
"""Share of a fact's words from which a free message tells it."""
DIGRESSES: tuple[Cell, ...] = ("needed", "given")


class Conversation(Family):
    """A conversation over a few topics; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    reference: ClassVar[str | None] = "pypi:chitchat-dataset"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": ChatAssistant(), "user": ChatUser()}
    steerable = DRAWN

    domain: Domain = "small_talk"
    """What is talked about."""
    latents: Latents = Field(default_factory=_small_talk)
    """What users are drawn from: the path of a file that `overture fit` wrote. Default: fitted on chitchat-dataset."""
    cells: dict[Cell, float] = Field(default_factory=lambda: dict(CELLS))
    """How often initiative is needed, needless, unwelcome or hopeless, by weight."""
    digressions: float = Field(default=0.15, ge=0, le=1)
    """Share of scenarios in which the user jumps to a topic of their own; of those with no trouble where users stay."""
    trouble: float = Field(default=0.2, ge=0, le=1)
    """Share of scenarios in which one message is not understood as it was meant."""
    twins: bool = False
    """Whether each case is played without its trouble, too; needs `trouble: 1` and cells whose users stay."""
    max_turns: int = 8
    """Most messages of a dialogue; the longer, the more topics."""

    @model_validator(mode="after")
    def _has_intents(self) -> Self:
        if self.latents.intents is None:
            raise ValueError(f"latents: have no turn intents: {self.latents.intents_missing}; name another file")
        return self

    @model_validator(mode="after")
    def _twins_differ(self) -> Self:
        odd = sorted(cell for cell, weight in self.cells.items() if weight and cell not in TROUBLED)
        if self.twins and (self.trouble < 1 or odd):
            raise ValueError(
                f"twins: needs `trouble: 1` and cells among {', '.join(TROUBLED)}; else twins are the same"
            )
        return self

    @property
    def variants(self) -> int:
        return 2 if self.twins else 1

    def sample(self, rng: Random) -> Scenario:
        data = load(self.domain)
        troubled = rng.random() < self.trouble and any(self.cells.get(c, 0) > 0 for c in TROUBLED)
        cells: dict[Cell, float] = {c: w for c, w in self.cells.items() if not troubled or c in TROUBLED}
        session = draw_session(rng, self.latents, data.user, cells)
        path = draw_path(data.topics, self.max_turns, rng)
        planned = trouble.draw_trouble(self.max_turns, rng) if troubled else None
        digression = None
        if not troubled and session.cell in DIGRESSES and rng.random() < self.digressions:
            digression = draw_digression(data.topics, path, self.max_turns, rng)
        user = _user_facts(data, path, digression, session, rng)
        own = _assistant_facts(data, path, {f.text for f in user}, rng)
        return Scenario(
            family=self.name(),
            domain=data.name,
            base_case_id=f"{data.name}/{'-'.join(path)}",
            seed=0,
            goal=f"a conversation that comes to {path[-1]} and that both would repeat",
            views={
                "assistant": View(
                    role="assistant", brief=data.assistant, facts=(*own, *_not_so(data, path, planned, "assistant"))
                ),
                "user": View(
                    role="user",
                    brief=data.user,
                    facts=(*user, *_not_so(data, path, planned, "user")),
                    private={TYPING: session.person.typing().model_dump_json()},
                ),
            },
            session_latents=session.label(),
            plan={
                "path": path,
                "bridges": [data.topics[a].bridges[b] for a, b in pairwise(path)],
                "digression": None if digression is None else digression.model_dump(),
                "trouble": None if planned is None else planned.model_dump(),
                "leaves_early": session.cell == "impossible" and not troubled and rng.random() < 0.5,
            },
            max_turns=self.max_turns,
        )

    def vary(self, scenario: Scenario, variant: int) -> Scenario:
        """Counterfactual twins: 0 as it is, 1 the same case without its trouble."""
        if variant == 0:
            return scenario
        return scenario.model_copy(update={"plan": scenario.plan | {"trouble": None}})

    def traits(self, scenario: Scenario) -> Mapping[str, str]:
        return traits(scenario.session_latents)

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        talk = Talk.of(scenario, turns, load(scenario.domain))
        if turns and (over := _over(talk)):
            return over
        if not turns:
            begins = scenario.policy in ("proactive", "privileged")
            return self._assistant(talk) if begins else user_move(talk, self.latents)
        if turns[-1].role == "assistant" or texts_again(talk):
            return user_move(talk, self.latents)
        return self._assistant(talk)

    async def observe(self, scenario: Scenario, turns: Sequence[Turn], turn: Turn, services: Services) -> Turn:
        """Of somebody who plays freely, what was asked, told and led to."""
        if turn.intent_requested != FREE:
            return turn
        return await _read(Talk.of(scenario, turns, load(scenario.domain)), turn, services)

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        talk = Talk.of(scenario, turns, load(scenario.domain))
        welcome = talk.session.initiative != "unwelcome"
        return {
            "success": talk.reached is not None if welcome else talk.pushes == 0,
            "initiative": talk.session.initiative,
            "cell": talk.session.cell,
            "planned_path": talk.path,
            "target_topic": talk.path[-1],
            "target_reached_turn": talk.reached,
            "topics": sorted({t.labels["topic"] for t in turns if "topic" in t.labels}),
            "topic_shifts": sum(bool(t.labels.get("topic_shift")) for t in turns),
            "handoffs": handoffs(turns),
            "refused": talk.refused_at is not None,
            "pushes_after_refusal": talk.pushes,
            "civility_fault": talk.pushes >= 2,
            "trouble": trouble.outcome(scenario, turns),
        }

    def _assistant(self, talk: Talk) -> Move:
        scenario = talk.scenario
        if scenario.policy == "external":
            return Move(role="assistant", intent=FREE)
        said = self._says(talk)
        if scenario.policy != "privileged":
            return said
        return said.model_copy(update={"labels": {"clairvoyant": False, **said.labels}})

    def _says(self, talk: Talk) -> Move:
        step = trouble.under_way(talk, "assistant")
        if step is None:
            return self._plans(talk)
        if (said := trouble.move(talk, step)) is not None:
            return said
        uptake = trouble.taking_up(talk) if step.part == "uptake" else None
        planned = self._plans(replace(talk, uptake=uptake, stays=step.part == "passed"))
        return planned.model_copy(update={"labels": trouble.labels_of(talk, step) | planned.labels})

    def _plans(self, talk: Talk) -> Move:
        """Apart from troubles."""
        if len(talk.turns) >= talk.scenario.max_turns - 2:
            return close(talk)
        leads = {"proactive": lead, "privileged": guide}
        return leads.get(talk.scenario.policy, _follow)(talk)


def _over(talk: Talk) -> Ending | None:
    last, turns = talk.turns[-1], talk.turns
    if last.intent_requested == "bye":
        return Ending(reason="closed_by_partner", by="user")
    if done(last) == "close":
        stays = rng(talk.scenario.seed, "answers_goodbye").random() < 0.5 and len(turns) < talk.scenario.max_turns
        return None if stays else Ending(reason="closed_by_learner", by="assistant")
    return Ending(reason="max_turns") if len(turns) >= talk.scenario.max_turns else None


async def _read(talk: Talk, turn: Turn, services: Services) -> Turn:
    text = turn.text or ""
    questions = {q: q for topic in talk.data.topics.values() for q in topic.questions}
    asked = await asked_for(text, questions, services)
    topics = [name for name, topic in talk.data.topics.items() if set(asked) & set(topic.questions)]
    shifts = bool(topics) and talk.topic not in topics and bool(talk.turns)
    hands_over = shifts and len(topics) == 1
    said = [f for f in talk.scenario.views["assistant"].facts if coverage(text, f.text) >= _TOLD]
    told = [f for f in said if f.id not in talk.told]
    offers = any(f.disclose == "volunteered" for f in said)
    says = "bridge" if shifts else "offer" if offers else "ask" if is_question(text) else "say"
    leaves = says == "say" and act_of([text]) == "close"
    topic = topics[0] if hands_over or (topics and not talk.turns) else talk.topic
    labels = {"topic": topic, "topic_shift": hands_over}
    labels |= {"from_topic": talk.topic, "to_topic": topics[0], "handoff": "closed"} if hands_over else {}
    known = {
        "intent_detected": "close" if leaves else says,
        "facts_asked": tuple(f.id for f in talk.scenario.views["user"].facts if f.slot in asked),
        "facts_disclosed": tuple(f.id for f in told),
        "facts_volunteered": tuple(f.id for f in told if f.disclose == "volunteered"),
        "acts": ("ask",) if is_question(text) else (),
        "labels": {**turn.labels, **labels},
    }
    return turn.model_copy(update=known)


def _follow(talk: Talk) -> Move:
    """What a reactive assistant does: answer what was asked, else react; it asks nothing and offers nothing."""
    labels = {"topic": talk.topic, "asks": False}
    question = talk.turns[-1].labels.get("question")  # what the user just asked
    own = [f for f in talk.scenario.views["assistant"].facts if f.slot == question and f.id not in talk.told]
    if own:
        return Move(
            role="assistant",
            intent="follow",
            instruction=f"say: {own[0].text}",
            fact_ids=(own[0].id,),
            labels=labels,
        )
    asked = is_question(talk.turns[-1].text or "")
    instruction = "answer in a few words" if asked else "short, friendly reaction"
    if talk.uptake:
        instruction = f"short reaction: {talk.uptake}"
    return Move(role="assistant", intent="follow", instruction=instruction, labels=labels)


def _user_facts(
    data: TalkDomain, path: Sequence[str], digression: Digression | None, session: SessionLatents, rng: Random
) -> tuple[Fact, ...]:
    """Two things a topic: one they tell when asked, one they may bring up; with nothing hidden, both."""
    tells = [(topic, told) for topic in path for told in data.tells(topic, rng, 2)]
    open_all = session.cell in ("given", "useless")
    facts = [
        _fact("user", f"u{n}", *told, "volunteered" if open_all or n % 2 else "asked")
        for n, (_, told) in enumerate(tells)
    ]
    if digression is not None:
        facts.append(_fact("user", "d0", *data.tells(digression.topic, rng, 1)[0], "volunteered"))
    return tuple(facts)


def _assistant_facts(data: TalkDomain, path: Sequence[str], but: set[str], rng: Random) -> tuple[Fact, ...]:
    """A tip on each topic, and experiences of its own with the first, other ones than the user's."""
    tips = [_fact("assistant", f"a{n}", t, rng.choice(data.topics[t].tips), "volunteered") for n, t in enumerate(path)]
    own = [_fact("assistant", f"r{n}", *told, "asked") for n, told in enumerate(data.tells(path[0], rng, 3))]
    return (*tips, *(f for f in own if f.text not in but))


def _not_so(data: TalkDomain, path: Sequence[str], planned: trouble.Trouble | None, holder: str) -> list[Fact]:
    """What contradicts the things that are taken for granted of them."""
    if planned is None or planned.type != "presupposition" or planned.other != holder:
        return []
    return [
        _fact(holder, f"{trouble.NOT_SO}{topic}/{n}", assumed.what, assumed.corrected, "asked")
        for topic in path
        for n, assumed in enumerate(data.topics[topic].assumes)
    ]


def _fact(holder: str, name: str, slot: str, text: str, disclose: Disclosure) -> Fact:
    return Fact(id=name, holder=holder, slot=slot, value=text, text=text, required=False, disclose=disclose)
