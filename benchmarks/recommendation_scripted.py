"""Can the `recommendation` simulation be won by habit, and does asking pay? Scripted assistants against its user.

    python benchmarks/recommendation_scripted.py [DOMAIN...] [--n 300]      (n of each domain; default: all three)

No model: both sides say the program's own phrases, and scripted assistants understand every word. All assistants meet
the same people. Success has a Wilson 95% interval at the size that is left when dialogues of one base case count as
one another's neighbours (design effect, at least 1); differences are bootstrapped over base cases.
"""

import argparse
import asyncio
import hashlib
import random
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import get_args

import numpy as np

from generators.choice import entropy, fitting
from generators.domains.recommendation import Domain, Item, RecommendationDomain, load
from generators.families.recommendation import Recommendation
from generators.latents.session import CELLS
from generators.latents.tagger import is_question
from generators.play import play
from generators.speakers.checks import content_words
from schemas.contracts import Services, Speaker
from schemas.dialogue import Dialogue, Move, Turn
from schemas.identity import rng
from schemas.scenario import Policy, Scenario, View

OWN: tuple[Policy, ...] = ("reactive", "proactive", "privileged")
FIRST_SEED = 20_000
"""Lower ones were looked at while the policies were made."""
DRAWS = 2000
Z = 1.96


class Embedder:
    """A bag of hashed words, of unit length."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.zeros((len(texts), 512), dtype=np.float32)
        for row, text in zip(vectors, texts, strict=True):
            for word in content_words(text):
                digest = hashlib.blake2b(word.encode(), digest_size=4).digest()
                row[int.from_bytes(digest[:2]) % 512] += 1
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)

    phrases = embed


class Says(Speaker):
    """Says what its move says."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        text = move.plain or re.sub(r"^(react, then )?(ask|say|recommend): ", "", move.instruction)
        asked = set(turns[-1].facts_asked) if turns and turns[-1].role != view.role else set[str]()
        return Turn(
            role=view.role,
            text=text,
            intent_requested=move.intent,
            facts_asked=tuple(move.labels.get("about", ())),
            facts_disclosed=move.fact_ids,
            facts_volunteered=tuple(i for i in move.fact_ids if i not in asked),
            labels={k: v for k, v in move.labels.items() if k != "about"},
        )


@dataclass(frozen=True)
class Heard:
    """What an assistant that understands every word knows."""

    data: RecommendationDomain
    known: Mapping[str, str]
    """Slot -> value, of what the user has said."""
    left: Sequence[Item]
    """What has all of that and was not recommended yet, in the order of this case."""
    asked: Sequence[str]
    """Slots, relevant or not, in the order asked."""
    said: int
    """Its messages so far."""

    @property
    def open_slots(self) -> list[str]:
        return [s for s in self.data.slots if s not in self.known and s not in self.asked]

    def question(self, slot: str) -> str:
        found = (self.data.slots if slot in self.data.slots else self.data.irrelevant)[slot].ask
        return f"{found[:1].upper()}{found[1:]}?"

    def recommendation(self) -> str:
        return f"Take {self.left[0].name}." if self.left else BYE


BYE = "Goodbye, take care!"


def heard(data: RecommendationDomain, turns: Sequence[Turn], seed: int) -> Heard:
    known: dict[str, str] = {}
    for turn in turns:
        for slot in (i for i in turn.facts_disclosed if i in data.slots):
            values = data.slots[slot].values.items()
            known[slot] = next(v for v, phrases in values if any(p in (turn.text or "") for p in phrases))
    mine = [t for t in turns if t.role == "assistant"]
    out = {str(t.labels["item"]) for t in mine if t.labels.get("item")}
    left = fitting(data.items, known, out)
    asked = [i.removeprefix("beside/") for t in mine for i in t.facts_asked]
    return Heard(data, known, rng(seed, "order").sample(left, len(left)), asked, len(mine))


def never_asks(h: Heard) -> str:
    return h.recommendation()


def always_asks(h: Heard) -> str:
    return h.question([*h.open_slots, *(b for b in h.data.irrelevant if b not in h.asked)][0])


def checklist(h: Heard) -> str:
    return h.question(h.open_slots[0]) if h.open_slots else h.recommendation()


def short_checklist(h: Heard) -> str:
    """The first three."""
    slots = [s for s in h.open_slots if s in list(h.data.slots)[:3]]
    return h.question(slots[0]) if slots else h.recommendation()


def asks_once(h: Heard) -> str:
    return h.recommendation() if h.asked or not h.open_slots else h.question(h.open_slots[0])


def dumps(h: Heard) -> str:
    names = ", ".join(item.name for item in h.left[:5])
    return " ".join([f"There are {names}.", *(h.question(s) for s in h.open_slots[:5])])


def pushes(h: Heard) -> str:
    """Recommends and asks in every message, whatever it hears."""
    slots = [*h.open_slots, *h.data.irrelevant]
    return f"{h.recommendation()} {h.question(slots[0])}"


def max_entropy(h: Heard) -> str:
    """Asks what splits the items best while anything does, then recommends (the baseline of methods §18)."""
    best = max(h.open_slots, key=lambda s: entropy(h.left, s), default=None)
    return h.question(best) if best is not None and entropy(h.left, best) > 0 else h.recommendation()


Script = Callable[[Heard], str]
MECHANICAL: Mapping[str, Script] = {
    "never asks": never_asks,
    "always asks": always_asks,
    "checklist": checklist,
    "checklist of three": short_checklist,
    "asks once, then recommends": asks_once,
    "dumps everything": dumps,
    "always pushes": pushes,
}
SCRIPTS = {**MECHANICAL, "maximum entropy": max_entropy}


class Plays(Speaker):
    """A script that hears what was said, and answers questions about what it recommended."""

    domain: Domain
    script: str
    """A name of `SCRIPTS`, or `oracle`."""
    item: str | None = None
    """What the oracle recommends; None: it takes leave."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        data, last = load(self.domain), turns[-1]
        h = heard(data, turns, seed)
        taken = any(t.intent_requested == "accept" for t in turns)
        if taken:
            text = BYE
        elif "slot" in last.labels and is_question(last.text or ""):
            named = next(t.labels["item"] for t in reversed(turns) if t.role == "assistant" and t.labels.get("item"))
            has = next(i for i in data.items if i.name == named).has[last.labels["slot"]]
            text = f"It is {data.slots[last.labels['slot']].item[has]}."
        elif self.script == "oracle":
            text = BYE if self.item is None else f"Take {self.item}."
        else:
            text = SCRIPTS[self.script](h)
        return Turn(role=view.role, text=text, intent_requested=move.intent)


def oracle(domain: Domain, scenario: Scenario) -> Speaker:
    """It is given the hidden side: what fits, and who wants nothing."""
    fits = load(domain).fitting(scenario.plan["wants"])
    items = [i.name for i in fits if i.name not in scenario.plan["seen"]]
    wants = scenario.session_latents["cell"] != "useless" and items
    return Plays(domain=domain, script="oracle", item=items[0] if wants else None)


async def dialogues(domains: Sequence[Domain], n: int, policy: Policy, script: str = "") -> list[Dialogue]:
    """`n` of each domain. `random action`: draws among what the program weighs, each as likely."""
    played: list[Dialogue] = []
    for place, domain in enumerate(domains):
        usual, first = Recommendation(domain=domain), FIRST_SEED + place * n  # the same seed is the same person
        family = usual.model_copy(update={"temperature": 1e6}) if script == "random action" else usual
        for seed in range(first, first + n):
            scenario = family.sample(rng(seed, "case")).model_copy(update={"seed": seed, "policy": policy})
            assistant: Speaker = Says()
            if policy == "external":
                assistant = oracle(domain, scenario) if script == "oracle" else Plays(domain=domain, script=script)
            speakers = {"assistant": assistant, "user": Says()}
            played.append(await play(family, speakers, scenario, Services(chat={}, embed=Embedder())))
    return played


def success(played: Sequence[Dialogue]) -> tuple[float, float, float]:
    """Share, and its Wilson interval at the effective number of dialogues."""
    n, share = len(played), sum(bool(d.outcome["success"]) for d in played) / len(played)
    groups: dict[str, list[float]] = defaultdict(list)
    for d in played:
        groups[d.scenario.base_case_id].append(float(bool(d.outcome["success"])) - share)
    between, plain = sum(sum(g) ** 2 for g in groups.values()), n * share * (1 - share)
    n /= max(1.0, between / plain) if plain else 1.0
    middle, half = share + Z * Z / (2 * n), Z * sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return share, max(0.0, (middle - half) / (1 + Z * Z / n)), min(1.0, (middle + half) / (1 + Z * Z / n))


def shown(found: tuple[float, float, float]) -> str:
    return f"{found[0]:.3f} [{found[1]:.3f}, {found[2]:.3f}]"


def mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def bootstrapped(pairs: Sequence[tuple[str, float, float]]) -> str:
    """1 - sum of firsts / sum of seconds, with a 95% interval; pairs are resampled by base case."""
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for case, first, second in pairs:
        groups[case].append((first, second))
    sums = [(sum(a for a, _ in g), sum(b for _, b in g)) for g in groups.values()]
    draws = random.Random(7)

    def saved(of: Sequence[tuple[float, float]]) -> float:
        return 1 - sum(a for a, _ in of) / sum(b for _, b in of)

    found = sorted(saved(draws.choices(sums, k=len(sums))) for _ in range(DRAWS))
    return f"{saved(sums):.3f} [{found[DRAWS // 40]:.3f}, {found[-DRAWS // 40 - 1]:.3f}]"


def turns_saved(own: Mapping[str, Sequence[Dialogue]], cell: str | None) -> str:
    both = [
        (p, r)
        for p, r in zip(own["proactive"], own["reactive"], strict=True)
        if p.outcome["success"] and r.outcome["success"] and cell in (None, p.outcome["cell"])
    ]
    turns = [(p.scenario.base_case_id, float(len(p.turns)), float(len(r.turns))) for p, r in both]
    words = [[mean([d.outcome["assistant_words"] for d in side])] for side in zip(*both, strict=True)]
    return f"{len(both)} | {bootstrapped(turns)} | {words[0][0]:.0f}, {words[1][0]:.0f} | {cost_saved(own, cell)}"


def cost_saved(own: Mapping[str, Sequence[Dialogue]], cell: str | None) -> str:
    """Messages for one success, all dialogues counted: 1 - proactive / reactive, bootstrapped over base cases."""
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    for p, r in zip(own["proactive"], own["reactive"], strict=True):
        if cell in (None, p.outcome["cell"]):
            row = [len(p.turns), bool(p.outcome["success"]), len(r.turns), bool(r.outcome["success"])]
            groups[p.scenario.base_case_id].append(np.array(row, dtype=float))
    sums, draws = [np.sum(g, axis=0) for g in groups.values()], random.Random(7)

    def saved(of: Sequence[np.ndarray]) -> float:
        ours, won, theirs, also = np.sum(of, axis=0)
        return float(1 - (ours / won) / (theirs / also))

    found = sorted(saved(draws.choices(sums, k=len(sums))) for _ in range(DRAWS))
    return f"{saved(sums):.3f} [{found[DRAWS // 40]:.3f}, {found[-DRAWS // 40 - 1]:.3f}]"


def difference(ours: Sequence[Dialogue], theirs: Sequence[Dialogue], cell: str) -> str:
    """Of success, between assistants that met the same people."""
    groups: dict[str, list[int]] = defaultdict(list)
    for a, b in zip(ours, theirs, strict=True):
        if a.outcome["cell"] == cell:
            groups[a.scenario.base_case_id].append(bool(a.outcome["success"]) - bool(b.outcome["success"]))
    sums, draws = [(sum(g), len(g)) for g in groups.values()], random.Random(7)
    drawn = (draws.choices(sums, k=len(sums)) for _ in range(DRAWS))
    found = sorted(sum(d for d, _ in of) / sum(n for _, n in of) for of in drawn)
    middle = sum(d for d, _ in sums) / sum(n for _, n in sums)
    return f"{middle:+.3f} [{found[DRAWS // 40]:+.3f}, {found[-DRAWS // 40 - 1]:+.3f}]"


def totals(found: Mapping[str, Sequence[Dialogue]]) -> None:
    print(
        "| assistant | success | messages | of successes | a success costs | irrelevant questions | civility faults |"
    )
    print("|" + "---|" * 7)
    for name, played in found.items():
        won = [d for d in played if d.outcome["success"]]
        beside = mean([d.outcome["irrelevant_questions"] for d in played])
        civil = mean([d.outcome["civility_fault"] for d in played])
        spent = sum(len(d.turns) for d in played)
        cost = f"{spent / len(won):.1f}" if won else "-"
        lengths = f"{spent / len(played):.1f} | {mean([len(d.turns) for d in won]):.1f} | {cost}"
        print(f"| {name} | {shown(success(played))} | {lengths} | {beside:.2f} | {civil:.3f} |")


def by_cell(found: Mapping[str, Sequence[Dialogue]]) -> None:
    counts = {c: sum(d.outcome["cell"] == c for d in found["proactive"]) for c in CELLS}
    print(f"\n| success by cell | {' | '.join(f'{c}, n = {n}' for c, n in counts.items())} |\n|{'---|' * 7}")
    for name, played in found.items():
        rows = [shown(success([d for d in played if d.outcome["cell"] == c])) for c in counts]
        print(f"| {name} | {' | '.join(rows)} |")


def verdicts(found: Mapping[str, Sequence[Dialogue]]) -> None:
    of = {name: success(played) for name, played in found.items()}
    mechanical = [*MECHANICAL, "random action"]
    reach = [name for name in mechanical if of[name][2] >= of["oracle"][1]]
    leads = max(of, key=lambda n: of[n][0]) in ("oracle", "privileged")
    print(f"\noracle leads: {leads}; its interval is reached by: {reach}")
    print("\nwhere initiative is needed, proactive less (paired, bootstrapped over base cases):")
    for name in [*mechanical, "reactive", "maximum entropy"]:
        print(f"- {name}: {difference(found['proactive'], found[name], 'needed')}")
    chance, asking = of["random action"], of["maximum entropy"]
    pairs = zip(found["maximum entropy"], found["random action"], strict=True)
    turns = bootstrapped([(a.scenario.base_case_id, float(len(a.turns)), float(len(b.turns))) for a, b in pairs])
    apart = chance[2] < asking[1] or asking[2] < chance[1]
    print(f"random and maximum entropy apart by success: {apart}; messages saved by the latter: {turns}")


async def report(domains: Sequence[Domain], n: int) -> None:
    found: dict[str, list[Dialogue]] = {p: await dialogues(domains, n, p) for p in OWN}
    for name in SCRIPTS:
        found[name] = await dialogues(domains, n, "external", name)
    found["random action"] = await dialogues(domains, n, "proactive", "random action")
    found["oracle"] = await dialogues(domains, n, "external", "oracle")
    cases = len({d.scenario.base_case_id for d in found["oracle"]})
    print(f"## scripted: {', '.join(domains)}; {len(found['oracle'])} dialogues, {cases} base cases\n")
    totals(found)
    by_cell(found)
    verdicts(found)
    print("\n| cell | both succeed | turns saved there | assistant words: proactive, reactive | a success saves |")
    print("|" + "---|" * 5)
    for cell in (None, "needed", "given"):
        print(f"| {cell or 'all'} | {turns_saved(found, cell)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("domains", nargs="*", default=list(get_args(Domain)))
    parser.add_argument("--n", type=int, default=300)
    given = parser.parse_args()
    asyncio.run(report(given.domains, given.n))


if __name__ == "__main__":
    main()
