"""Can the `conversation` simulation be won by habit, and does leading pay? Scripted assistants against its user.

    python benchmarks/conversation_scripted.py [DOMAIN...] [--n 200] [--max-turns 8]   (n of each domain)

No model: both sides say the program's own words. The family's own policies open the conversation; scripted assistants
play freely, after the user, and what they do is read off their words. All assistants meet the same people. Success has
a Wilson 95% interval at the size that is left when dialogues of one base case count as one another's neighbours.
"""

import argparse
import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any, get_args

import numpy as np
from recommendation_scripted import FIRST_SEED, OWN, Embedder, by_cell, difference, mean, shown, success

from generators.domains.small_talk import Domain, TalkDomain, load
from generators.families.conversation import Conversation
from generators.latents.tagger import is_question
from generators.play import play
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, View

REACTIONS = ("Oh nice.", "I see.", "Good to hear.", "Fair enough.")
BYE = "Alright, take care, bye!"
REPLIES = {"short, friendly reaction": "Oh nice.", "answer in a few words": "Not really."}
TOPICS_AT_ONCE = 5


class Says(Speaker):
    """Says what its move says."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        text = in_words(move)
        free = {f.id for f in view.facts if f.disclose == "volunteered"}
        return Turn(
            role=view.role,
            text=text,
            intent_requested=move.intent,
            facts_asked=tuple(move.labels.get("about", ())),
            facts_disclosed=move.fact_ids,
            facts_volunteered=tuple(i for i in move.fact_ids if i in free),
            acts=("ask",) if is_question(text) else (),
            labels={k: v for k, v in move.labels.items() if k != "about"},
        )


def in_words(move: Move) -> str:
    if words := move.plain or REPLIES.get(move.instruction):
        return words
    if move.intent == "close":
        return BYE
    return re.sub(r"^.*?\b(?:bridge to \w+|offer|ask|say): ", "", move.instruction).replace("; ask: ", ". ")


@dataclass(frozen=True)
class Heard:
    """What an assistant that understands every word knows."""

    data: TalkDomain
    topic: str
    """What the user speaks of."""
    target: str
    tips: Sequence[str]
    said: int
    """Its messages so far."""
    had: str
    """All that was said."""
    seed: int

    @property
    def reaction(self) -> str:
        return REACTIONS[self.said % len(REACTIONS)]

    def question(self, topic: str) -> str:
        """One that was not asked yet; the last one again where all were."""
        questions = list(self.data.topics[topic].questions)
        found = next((q for q in questions if q not in self.had), questions[-1])
        return f"{found[:1].upper()}{found[1:]}?"

    def bridge(self, topic: str) -> str:
        thought = self.data.topics[self.topic].bridges.get(topic)
        return f"{self.reaction} {self.question(topic)}" if thought is None else f"{thought}. {self.question(topic)}"


def never_leads(h: Heard) -> str:
    return h.reaction


def always_asks(h: Heard) -> str:
    """On what the user speaks of."""
    return f"{h.reaction} {h.question(h.topic)}"


def checklist(h: Heard) -> str:
    """The same topics in the same order for everybody."""
    topics = list(h.data.topics)
    return f"{h.reaction} {h.question(topics[h.said % len(topics)])}"


def asks_once(h: Heard) -> str:
    return h.reaction if h.said else always_asks(h)


def dumps(h: Heard) -> str:
    start = TOPICS_AT_ONCE * h.said
    topics = [*h.data.topics, *h.data.topics][start % len(h.data.topics) :][:TOPICS_AT_ONCE]
    return " ".join([*(f"{tip}." for tip in h.tips), *(h.question(t) for t in topics)])


def pushes(h: Heard) -> str:
    return h.bridge(h.target)


def waits_then_pushes(h: Heard) -> str:
    """A question on what the user speaks of, then the target in every message."""
    return pushes(h) if h.said else always_asks(h)


def chance(h: Heard) -> str:
    draws = rng(h.seed, "chance", h.said)
    topic = draws.choice(sorted(h.data.topics))
    tip = f"{draws.choice(h.tips)}."
    return draws.choice((h.reaction, tip, always_asks(h), h.bridge(topic), h.bridge(h.target), BYE))


Script = Callable[[Heard], str]
MECHANICAL: Mapping[str, Script] = {
    "never leads": never_leads,
    "always asks": always_asks,
    "checklist": checklist,
    "asks once, then follows": asks_once,
    "dumps everything": dumps,
    "always pushes": pushes,
    "waits once, then pushes": waits_then_pushes,
    "random": chance,
}


class Plays(Speaker):
    """A script that hears what was said, or the oracle, which has the hidden side, too."""

    domain: Domain
    script: str
    """A name of `MECHANICAL`, or `oracle`."""
    plan: dict[str, Any]
    cell: str

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        data, path = load(self.domain), self.plan["path"]
        h = Heard(
            data=data,
            topic=turns[-1].labels["topic"],
            target=path[-1],
            tips=[f.text for f in view.facts if f.disclose == "volunteered"],
            said=sum(t.role == view.role for t in turns),
            had=" ".join(t.text or "" for t in turns).lower(),
            seed=seed,
        )
        text = self.knowing(h, turns) if self.script == "oracle" else MECHANICAL[self.script](h)
        acts = ("ask",) if is_question(text) else ()
        return Turn(role=view.role, text=text, intent_requested=move.intent, acts=acts)

    def knowing(self, h: Heard, turns: Sequence[Turn]) -> str:
        """Leads who wants to be led, from what they speak of along the path, once they have had their say on it."""
        if self.cell == "hurry" or self.plan["leaves_early"]:
            return BYE
        refused = any(t.intent_requested == "decline" for t in turns)
        here = sum(t.role == "assistant" and t.labels["topic"] == h.topic for t in turns)
        jumps = self.plan["digression"] is not None and not any(t.labels.get("digresses") for t in turns)
        if self.cell in ("refuses", "impossible") or refused or jumps or not here or h.topic == h.target:
            return always_asks(h)
        path = self.plan["path"]
        place = path.index(h.topic) if h.topic in path else 0
        return h.bridge(path[place + 1])


class Phrases(Embedder):
    """Embeds the questions of a domain once."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, ...], np.ndarray] = {}

    async def phrases(self, texts: Sequence[str]) -> np.ndarray:
        if (found := self._known.get(tuple(texts))) is None:
            found = self._known[tuple(texts)] = await self.embed(texts)
        return found


async def dialogues(
    domains: Sequence[Domain], n: int, max_turns: int, policy: Policy, script: str = ""
) -> list[Dialogue]:
    """`n` of each domain."""
    played: list[Dialogue] = []
    services = Services(chat={}, embed=Phrases())
    for place, domain in enumerate(domains):
        family = Conversation(domain=domain, max_turns=max_turns)
        first = FIRST_SEED + place * n  # the same seed is the same person
        for seed in range(first, first + n):
            scenario = family.sample(rng(seed, "case")).model_copy(update={"seed": seed, "policy": policy})
            assistant = played_by(scenario, domain, script) if script else Says()
            played.append(await play(family, {"assistant": assistant, "user": Says()}, scenario, services))
    return played


def played_by(scenario: Scenario, domain: Domain, script: str) -> Speaker:
    return Plays(domain=domain, script=script, plan=scenario.plan, cell=scenario.session_latents["cell"])


def followed(dialogue: Dialogue) -> int:
    """How many hand-overs the user's next message took up."""
    after = ((h, dialogue.turns[h["turn"] + 1 :][:1]) for h in dialogue.outcome["handoffs"])
    return sum(t.labels["topic"] == h["to_topic"] and t.intent_requested != "bye" for h, next_ in after for t in next_)


def totals(found: Mapping[str, Sequence[Dialogue]]) -> None:
    print("| assistant | success | messages | hand-overs | followed | pushes after a refusal | civility faults |")
    print("|" + "---|" * 7)
    for name, played in found.items():
        handed, taken = mean([len(d.outcome["handoffs"]) for d in played]), mean([followed(d) for d in played])
        pushed = mean([d.outcome["pushes_after_refusal"] for d in played])
        civil = mean([d.outcome["civility_fault"] for d in played])
        lengths = f"{mean([len(d.turns) for d in played]):.1f} | {handed:.2f} | {taken:.2f}"
        print(f"| {name} | {shown(success(played))} | {lengths} | {pushed:.2f} | {civil:.3f} |")


def verdicts(found: Mapping[str, Sequence[Dialogue]]) -> None:
    of = {name: success(played) for name, played in found.items()}
    reach = [name for name in MECHANICAL if of[name][2] >= of["oracle"][1]]
    leads = max(of, key=lambda n: of[n][0]) in ("oracle", "privileged")
    print(f"\noracle leads: {leads}; its interval is reached by: {reach}")
    print("\nwhere initiative is needed, oracle less (paired, bootstrapped over base cases):")
    for name in [*MECHANICAL, "reactive", "proactive"]:
        print(f"- {name}: {difference(found['oracle'], found[name], 'needed')}")


async def report(domains: Sequence[Domain], n: int, max_turns: int) -> None:
    start = perf_counter()
    found: dict[str, list[Dialogue]] = {p: await dialogues(domains, n, max_turns, p) for p in OWN}
    for name in [*MECHANICAL, "oracle"]:
        found[name] = await dialogues(domains, n, max_turns, "external", name)
    cases = len({d.scenario.base_case_id for d in found["oracle"]})
    print(f"## scripted: {', '.join(domains)}; {len(found['oracle'])} dialogues, {cases} base cases\n")
    totals(found)
    by_cell(found)
    verdicts(found)
    print(f"\n{perf_counter() - start:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("domains", nargs="*", default=list(get_args(Domain)))
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--max-turns", type=int, default=8)
    given = parser.parse_args()
    asyncio.run(report(given.domains, given.n, given.max_turns))


if __name__ == "__main__":
    main()
