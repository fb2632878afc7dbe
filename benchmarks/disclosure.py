"""Is it noticed when a simulated person tells too much or too little, and what an assistant asks for?

    python benchmarks/disclosure.py [RUN_DIR...] [--sweep] [--show] [--sheet FILE]

Prints recall and false alarms of the judges in `generators.matching` on `tests/generators/disclosure_cases.yaml`, with
MiniLM. Thresholds were chosen on the slots of one half of it (--sweep shows how), the tables are of the other. For
runs: how often a message asked of a model said too much or too little at its first attempt, was asked for again, and
was replaced by the program's own words, by requested intent. --sheet writes a random hundred of these turns as CSV, to
be checked by hand; with its column `right` filled (y or n) it is read, and not written again. Intervals are Wilson's,
of runs by scenario group. A run's rates are by the judge that its generation used, too: the hand check is the other.

Openings and hints are excused word by word, so that the controls of the kind `hint` taken from a domain file cannot
fail; "another fact" is what the program itself has people say.
"""

import argparse
import asyncio
import csv
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import numpy as np
import orjson
from disclosure_cases import SEED, Asked, Case, Material, kind_of, material
from intents_detected import Stored, shown

from generators import matching
from generators.domains import recommendation
from generators.matching import asked_for, carries, nearest_fact, told_early
from generators.speakers.chat_user import ASKING
from generators.speakers.checks import pruned, tidy, trimmed
from inference.client import Connections
from pipelines.dialogue_files import read_dialogues
from pipelines.recipe import load
from schemas.chat import ChatReply, ChatRequest, EndpointSpec
from schemas.contracts import JUDGE, Family, Services
from schemas.dialogue import Dialogue, Move
from schemas.errors import InvalidOutput
from schemas.judgement import Interval
from schemas.scenario import Fact

DRAWS, SHEET = 1000, 100
SWEPT = {
    "MEANING_GIVEN_AWAY": np.arange(0.25, 0.71, 0.05),
    "GIVEN_AWAY": np.arange(0.60, 0.91, 0.05),
    "SAME_MEANING": np.arange(0.20, 0.71, 0.05),
    "SAME_CONTENT": np.arange(0.40, 0.81, 0.05),
    "SAME_ASKED": np.arange(0.15, 0.61, 0.05),
    "SAME_QUESTION": np.arange(0.30, 0.71, 0.05),
    "SAME_SLOT": np.arange(0.10, 0.61, 0.05),
}


class Embedder:
    """Of texts known beforehand; of others only which they are, so that all are embedded at once."""

    def __init__(self) -> None:
        self.texts: dict[str, None] = {}
        self._stored = Stored()
        self._known = False

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.texts.update(dict.fromkeys(texts))
        return self._stored(texts) if self._known else np.zeros((len(texts), 2), np.float32)

    phrases = embed

    def know(self) -> None:
        self._stored(list(self.texts))
        self._known = True


async def early(case: Case, services: Services) -> bool:
    """Of a leak: whether the fact itself is found; else whether any is."""
    found = await told_early(case.text, case.said, case.hidden, services)
    return found is not None and (case.kind != "leak" or found.id == case.fact.id)


async def says(case: Case, services: Services) -> bool:
    return await carries(case.text, case.fact.text, services)


async def asks(case: Asked, services: Services) -> tuple[str, ...]:
    data = recommendation.load(case.domain)
    ways = {slot: s.ask for slot, s in data.slots.items()}
    return await asked_for(case.text, ways | {f"beside/{n}": s.ask for n, s in data.irrelevant.items()}, services)


async def about(case: Asked, services: Services) -> str | None:
    """Which slot's public words a question is nearest to."""
    slots = recommendation.load(case.domain).slots
    facts = [Fact(id=i, holder="user", slot=s.about, value="", text="") for i, s in slots.items()]
    found = await nearest_fact(case.text, facts, services)
    return None if found is None else found.id


class Judged(NamedTuple):
    """All that was judged at one setting of the thresholds."""

    early: list[tuple[Case, bool]]
    says: list[tuple[Case, bool]]
    asks: list[tuple[Asked, tuple[str, ...]]]
    about: list[tuple[Asked, str | None]]


async def judged(cases: Material, services: Services) -> Judged:
    single = [c for c in cases.asked if kind_of(c.asks) in ("a slot", "nothing")]
    return Judged(
        [(c, await early(c, services)) for c in (*cases.alone, *cases.behind, *cases.own)],
        [(c, await says(c, services)) for c in cases.alone],
        [(c, await asks(c, services)) for c in cases.asked],
        [(c, await about(c, services)) for c in single],
    )


def share(hits: Sequence[bool]) -> Interval | None:
    return Interval.of_share(sum(hits) / len(hits), len(hits)) if hits else None


def told_table(found: Judged, part: int) -> None:
    print(f"\n| message ({'reported' if part else 'chosen on'}) | n | judged as given away | judged as said |")
    print("|---|---:|---|---|")
    groups: dict[str, list[bool]] = defaultdict(list)
    for case, hit in found.early:
        if case.part == part:
            where = ", behind what may be told" if case.said and case.kind != "another fact" else ""
            groups["leak" + where if case.kind == "leak" else case.kind + where].append(hit)
            if case.kind not in ("leak", "another fact"):
                groups["all controls" + where].append(hit)
    said: dict[str, list[bool]] = defaultdict(list)
    for case, hit in found.says:
        if case.part == part:
            said[case.kind].append(hit)
            if case.kind != "leak":
                said["all controls"].append(hit)
    for name, hits in sorted(groups.items()):
        print(f"| {name} | {len(hits)} | {shown(share(hits))} | {shown(share(said.get(name, [])))} |")


def asked_table(found: Judged, part: int) -> None:
    print(f"\n| asks for ({'reported' if part else 'chosen on'}) | n | read right | read as |\n|---|---:|---|---|")
    rows = [(case, read) for case, read in found.asks if case.part == part]
    for kind in ("a slot", "two", "beside the point", "nothing", "any"):
        some = [(case, read) for case, read in rows if kind in ("any", kind_of(case.asks))]
        wrong = Counter("another slot" if kind_of(r) == kind_of(c.asks) else kind_of(r) for c, r in some if r != c.asks)
        as_ = ", ".join(f"{name} {n}" for name, n in wrong.most_common())
        print(f"| {kind} | {len(some)} | {shown(share([r == c.asks for c, r in some]))} | {as_} |")
    for kind in ("a slot", "nothing"):
        near = [(next(iter(c.asks), None), r) for c, r in found.about if c.part == part and kind_of(c.asks) == kind]
        none = f"nothing {sum(read is None for _, read in near)}" if kind == "a slot" else ""
        print(f"| {kind}, by `nearest_fact` | {len(near)} | {shown(share([a == b for a, b in near]))} | {none} |")


def figures(found: Judged, part: int) -> dict[str, float]:
    """What thresholds are chosen by."""
    leaks = [h for c, h in found.early if c.part == part and c.kind == "leak"]
    false = [h for c, h in found.early if c.part == part and c.kind not in ("leak", "another fact")]
    own = [h for c, h in found.early if c.part == part and c.kind == "another fact"]
    said = [h for c, h in found.says if c.part == part and c.kind == "leak"]
    unsaid = [h for c, h in found.says if c.part == part and c.kind != "leak"]
    right = [r == c.asks for c, r in found.asks if c.part == part]
    slots = [r == next(iter(c.asks), None) for c, r in found.about if c.part == part]
    names = ("leaks found", "false", "own words", "said", "said falsely", "asked", "nearest")
    return {n: float(np.mean(h)) for n, h in zip(names, (leaks, false, own, said, unsaid, right, slots), strict=True)}


async def sweep(cases: Material, services: Services) -> None:
    """One threshold at a time, the others as they are."""
    for name, values in SWEPT.items():
        kept = getattr(matching, name)
        names = "leaks found | false | own words | said | said falsely | asked | nearest"
        print(f"\n| {name} ({kept}), chosen on | {names} |")
        print("|---|---|---|---|---|---|---|---|")
        for value in values:
            setattr(matching, name, float(value))
            cells = figures(await judged(cases, services), part=0).values()
            print(f"| {value:.2f} | " + " | ".join(f"{x:.2f}" for x in cells) + " |")
        setattr(matching, name, kept)


class Said(NamedTuple):
    """A message that a simulated person's model was asked for."""

    dialogue: Dialogue
    place: int
    attempts: int
    """0 where no journal tells."""
    first: str | None
    """The first answer as it was checked; None where it was no message."""
    told: tuple[Fact, ...]
    hidden: tuple[Fact, ...]
    template: bool

    @property
    def intent(self) -> str:
        return self.dialogue.turns[self.place].intent_requested or "none"

    @property
    def group(self) -> str:
        return self.dialogue.scenario.group_id


class Checked(NamedTuple):
    said: Said
    over: Fact | None = None
    under: Fact | None = None
    found: tuple[Fact, ...] = ()
    """What it says of their facts."""


def answers(run: Path) -> dict[tuple[str, int], list[str]]:
    """What a run's models answered, by dialogue and turn, in the order of the attempts."""
    found: dict[tuple[str, int], list[tuple[int, str]]] = defaultdict(list)
    for file in sorted(run.glob("journal/*.sqlite")):
        with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as stored:
            rows = stored.execute("SELECT dialogue_id, turn, attempt, answer FROM calls WHERE step = 'say'")
            for dialogue, turn, attempt, answer in rows:
                found[dialogue, turn].append((attempt, orjson.loads(answer)))
    return {key: [a for _, a in sorted(some, key=lambda pair: pair[0])] for key, some in found.items()}


def worded(dialogue: Dialogue, family: Family, tried: Mapping[tuple[str, int], list[Any]]) -> Iterator[Said]:
    """The program's words behind the model's stand behind its first answer, too."""
    view = dialogue.scenario.views[dialogue.partner]
    out: set[str] = set()
    for n, turn in enumerate(dialogue.turns):
        before = set(out)
        out |= set(turn.facts_disclosed)
        template = "fallback" in turn.labels
        if turn.role != dialogue.partner or turn.text is None or not (turn.model or template):
            continue
        told = tuple(f for f in view.facts if f.id in turn.facts_disclosed)
        hidden = tuple(f for f in view.facts if f.id not in before and f not in told)
        some = tried.get((dialogue.id, n), [])
        first = checked_text(some[0], dialogue, n) if some else None if template else clean(turn.labels, turn.text)
        move = family.next(dialogue.scenario, dialogue.turns[:n])
        if some and first is not None and isinstance(move, Move):
            first = f"{first.rstrip('.!, ')}{move.tail}"  # as `ChatUser` joins them
        yield Said(dialogue, n, len(some), first, told, hidden, template)


def clean(labels: Mapping[str, Any], text: str) -> str:
    return str(labels.get("clean", text))


def checked_text(answer: Any, dialogue: Dialogue, place: int) -> str | None:
    """An answer as its speaker reads it; None where it is no message."""
    turns = dialogue.turns
    heard = turns[place - 1].text if place and turns[place - 1].role != dialogue.partner else None
    try:
        text = tidy(answer["text"], answer.get("finish_reason") == "length")
    except (InvalidOutput, KeyError):
        return None
    asks = turns[place].intent_requested in ASKING
    text = pruned(text, heard, asks)
    told = " ".join(f.text for f in dialogue.scenario.facts if f.id in turns[place].facts_disclosed)
    return text if asks else trimmed(text, str(turns[place].labels.get("says", told)))


def turns_of(run: Path) -> Iterator[Said]:
    """Of what was kept, and of what was not; of a run that was not finished, of its shards."""
    tried = answers(run)
    families = {entry.name: entry.family for entry in load(run / "config.resolved.yaml").families}
    for name in ("data", "rejected") if (run / "data").is_dir() else ("shards",):
        if any((run / name).glob("*.parquet")):
            for record in read_dialogues(run / name):
                if record.dialogue.partner in record.dialogue.scenario.views:
                    yield from worded(record.dialogue, families[record.dialogue.scenario.family], tried)


async def checked(said: Said, services: Services) -> Checked:
    if said.first is None:
        return Checked(said)
    over = await told_early(said.first, said.told, said.hidden, services)
    carried = [await carries(said.first, fact.text, services) for fact in said.told]
    under = [fact for fact, hit in zip(said.told, carried, strict=True) if not hit]
    found = [fact for fact in said.told if fact not in under]
    return Checked(said, over, under[0] if under else None, (*found, *([over] if over else [])))


def clustered(rows: Sequence[Checked], hit: Callable[[Checked], bool]) -> Interval | None:
    """A share of turns, resampled by scenario group; at least as wide as Wilson's of so many groups."""
    groups: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        groups[row.said.group].append(hit(row))
    if not groups:
        return None
    counts = np.array([(sum(hits), len(hits)) for hits in groups.values()], float)
    drawn = counts[np.random.default_rng(SEED).integers(len(counts), size=(DRAWS, len(counts)))].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / drawn[:, 1], (2.5, 97.5))
    value = float(counts[:, 0].sum() / counts[:, 1].sum())
    least = Interval.of_share(value, len(groups))
    return Interval(value, min(float(low), least.low), max(float(high), least.high), len(groups))


def corrected(found: Interval | None, recall: float) -> Interval | None:
    """As many as there would be had the judge found all; what it finds falsely stays in."""
    if found is None or not recall:
        return None
    value, low, high = (min(1.0, x / recall) for x in found[:3])
    return Interval(value, low, high, found.n)


def run_table(rows: Sequence[Checked], found: Judged) -> None:
    leaks = [h for c, h in found.early if c.part == 1 and c.kind == "leak"]
    unsaid = [not h for c, h in found.says if c.part == 1 and c.kind != "leak"]
    over, under = float(np.mean(leaks)), float(np.mean(unsaid))
    print(
        f"\ncorrected: divided by the judge's recall, {over:.2f} of what is given away, {under:.2f} of what is not said"
    )
    if untried := sum(not row.said.attempts for row in rows):
        print(f"{untried} of {len(rows)} messages without a journal: of these the last answer is judged, not the first")
    names = "too much | corrected | too little | corrected | no message | asked again | template"
    print(f"\n| intent | n | {names} |\n|---|---:|{'---|' * 7}")
    for intent in (*sorted({row.said.intent for row in rows}), "all"):
        some = [row for row in rows if intent in ("all", row.said.intent)]
        tells = [row for row in some if row.said.told]
        much = clustered([row for row in some if row.said.first], lambda row: row.over is not None)
        little = clustered([row for row in tells if row.said.first], lambda row: row.under is not None)
        cells = [much, corrected(much, over), little, corrected(little, under)]
        tried = [row for row in some if row.said.attempts]
        cells.append(clustered(tried, lambda row: row.said.first is None))
        cells.append(clustered(tried, lambda row: row.said.attempts > 1))
        cells.append(clustered(some, lambda row: row.said.template))
        print(f"| {intent} | {len(some)} | " + " | ".join(map(shown, cells)) + " |")


COLUMNS = ("dialogue", "turn", "intent", "may_tell", "hidden", "message", "says", "too_much", "too_little", "right")


def sheet_rows(rows: Sequence[Checked]) -> Iterator[dict[str, str]]:
    for row in Random(SEED).sample(rows, min(SHEET, len(rows))):
        said = row.said
        yield {
            "dialogue": said.dialogue.id,
            "turn": str(said.place),
            "intent": said.intent,
            "may_tell": " | ".join(f.text for f in said.told)
            or str(said.dialogue.turns[said.place].labels.get("says", "")),
            "hidden": " | ".join(f.text for f in said.hidden if f.required),
            "message": said.first or "",
            "says": " | ".join(f.text for f in row.found),
            "too_much": row.over.text if row.over else "",
            "too_little": row.under.text if row.under else "",
            "right": "",
        }


def sheet(file: Path, rows: Sequence[Checked]) -> None:
    """Writes it, or, where somebody has filled in `right`, tells how often message and judge are right."""
    if file.exists():
        with file.open(newline="") as stored:
            filled = [row for row in csv.DictReader(stored) if row["right"].strip()]
        if filled:
            print("\n| judged, by hand | n | message is right |\n|---|---:|---|")
            for name, some in (
                ("faultless to the judge", [r for r in filled if not (r["too_much"] or r["too_little"])]),
                ("too much", [r for r in filled if r["too_much"]]),
                ("too little", [r for r in filled if r["too_little"]]),
                ("all", filled),
            ):
                right = [r["right"].strip().lower() in ("y", "yes", "1", "true") for r in some]
                print(f"| {name} | {len(some)} | {shown(share(right))} |")
            return
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS)
        writer.writeheader()
        writer.writerows(sheet_rows(rows))
    print(f"\n{file}: {min(SHEET, len(rows))} turns, `right` to be filled with y or n")


class Judge:
    """The model of a server, which is asked the same once."""

    def __init__(self, base_url: str):
        self._spec = EndpointSpec(base_url=base_url, model="judge")
        self._known: dict[str, ChatReply] = {}

    async def ask(self, request: ChatRequest) -> ChatReply:
        shown = request.messages[-1].content
        if shown not in self._known:
            async with Connections() as connections:
                self._known[shown] = await connections.chat(self._spec).ask(request)
        return self._known[shown]


async def judge(cases: Material, said: Sequence[Said], services: Services) -> tuple[Judged, list[Checked]]:
    return await judged(cases, services), [await checked(s, services) for s in said]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN_DIR")
    parser.add_argument("--sweep", action="store_true")
    parser.add_argument("--show", action="store_true", help="what is read wrongly")
    parser.add_argument("--sheet", type=Path, metavar="FILE")
    parser.add_argument("--judge", metavar="BASE_URL", help="whose model reads the messages, as the role `judge`")
    wanted = parser.parse_args()
    embedder, cases = Embedder(), material()
    if wanted.judge:  # a call a message: the program's own words and what stands behind other words are left out
        cases = cases._replace(behind=[], own=[])
    services = Services(chat={JUDGE: Judge(wanted.judge)} if wanted.judge else {}, embed=embedder)
    said = list(chain.from_iterable(map(turns_of, wanted.runs)))
    asyncio.run(judge(cases, said, services))
    embedder.know()
    found, rows = asyncio.run(judge(cases, said, services))
    for part in (0, 1):
        told_table(found, part)
        asked_table(found, part)
    if wanted.show:
        show(found, rows)
    if wanted.sweep:
        asyncio.run(sweep(cases, services))
    if rows:
        run_table(rows, found)
        if wanted.sheet:
            sheet(wanted.sheet, rows)


def show(found: Judged, rows: Sequence[Checked]) -> None:
    wrong = [(c.kind, c.text, c.fact.text) for c, hit in found.early if hit != (c.kind == "leak")]
    wrong += [(f"said: {c.kind}", c.text, c.fact.text) for c, hit in found.says if hit != (c.kind == "leak")]
    wrong += [(f"asks {c.asks}", c.text, str(read)) for c, read in found.asks if read != c.asks]
    wrong += [(f"too much: {row.over.text}", row.said.first or "", row.said.intent) for row in rows if row.over]
    wrong += [(f"too little: {row.under.text}", row.said.first or "", row.said.intent) for row in rows if row.under]
    for line in wrong:
        print(" | ".join(line))


if __name__ == "__main__":
    main()
