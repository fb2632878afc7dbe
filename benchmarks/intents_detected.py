"""Do simulated users say what they were asked to, as far as a second tagger can tell, and in a real order?

    python benchmarks/intents_detected.py [RUN_DIR...] [--reference SPEC] [--family NAME] [--labels NAME...] [--star]

Prints how well the second tagger (`discriminators.intents`; it neither generates nor filters) finds intents in real
messages; for runs, how often a requested intent is found, beside that; with --reference, how far the bigrams of found
intents are from real ones, beside two real samples; with --star, how often it finds what STAR's users were told to do
(docs/star_user_guide.md). Real: dev labels, two labellers. A run's turns are those of its `data/`. Intervals are 95%,
by scenario group (siblings, or dialogues of one person, are one thing). Needs the corpora (default: ../shared/corpora).
"""

import argparse
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from math import hypot
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import orjson
from intent_tagger import ROOT, Example, examples

from discriminators.intents import (
    Agreement,
    Counts,
    Said,
    SecondTagger,
    Told,
    accuracy,
    agreement,
    confusion,
    distance,
    fit_second_tagger,
    overall_kappa,
    percentiles,
    resampled,
    tables,
    told_messages,
)
from generators.latents.hand_labels import Message
from generators.latents.intents import START
from generators.latents.tagger import INTENTS, act_of, since, tag
from inference.client import BlockingEmbedder
from inference.embedding_server import EmbeddingServer
from inference.weights import cache_folder, fetch
from pipelines.dialogue_files import read_dialogues, read_rows
from pipelines.reference import Reference, Split, load_reference
from schemas import judgement
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import Interval

SEED, DRAWS = 7, 1000
EMBEDDER = "all-minilm-l6-v2"
ENOUGH = 200
"""Real dialogues wanted; splits are added until there are so many."""
BEHIND, AHEAD, APART = 0.05, 0.10, 0.05
"""What simulated turns may be found less often than real ones; more often, then they are caricatures; and what their
bigrams may be beyond the floor.
"""
MOST = 150
"""Turns of one kind of STAR's instructions that are looked at."""

LEAST = 20
"""Groups of a side below which nothing is decided."""

Pairs = Mapping[str, Sequence[tuple[str, str]]]
"""Group -> (given, found) intents."""


class Stored:
    """An embedder that asks for a text once, and keeps its vector in a temporary folder between calls of the script."""

    def __init__(self) -> None:
        self._file = Path(tempfile.gettempdir()) / "overture-intents" / f"{EMBEDDER}.npz"
        self._known: dict[str, np.ndarray] = {}
        if self._file.exists():
            with np.load(self._file) as stored:
                self._known = dict(zip(stored["keys"].tolist(), stored["vectors"], strict=True))

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        keys = [sha256(text.encode()).hexdigest()[:24] for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            with EmbeddingServer(fetch(EMBEDDER), EMBEDDER, threads=1) as server:
                vectors = BlockingEmbedder(server.endpoints[0])(list(missing.values()))
            self._known |= dict(zip(missing, vectors, strict=True))
            self._file.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._file, keys=np.array(list(self._known)), vectors=np.stack(list(self._known.values())))
        return np.stack([self._known[key] for key in keys])


class Spoken(NamedTuple):
    """A partner's message in a dialogue."""

    message: Message
    requested: str | None
    second: str
    """By the second tagger; `first`: by that of the generation."""
    first: str


def spoken(dialogues: Sequence[Dialogue], tagger: SecondTagger) -> list[list[Spoken]]:
    """By dialogue, the partner's messages in order."""
    found: list[list[tuple[Message, str | None]]] = []
    for d in dialogues:
        said = [(n, t) for n, t in enumerate(d.turns) if t.role == d.partner and t.kind == "utterance" and t.text]
        found.append([(Message(t.text or "", *since(d.turns[:n], d.partner)), t.intent_requested) for n, t in said])
    names = iter(tagger.tag([Said.of(*message) for message, _ in chain.from_iterable(found)]))
    return [[Spoken(m, wanted, next(names), tag(*m).intent) for m, wanted in said] for said in found]


def bigrams(said: Sequence[Spoken], name: Callable[[Spoken], str]) -> Counts:
    """Previous intent, the other side's act since, intent."""
    names = [name(s) for s in said]
    acts = [act_of(s.message.others) for s in said]
    return Counter(zip([START, *names], acts, names, strict=False))


_ACT: Callable[[Any], Hashable] = itemgetter(1)
"""Of a bigram."""


def shown(value: float | Interval | None) -> str:
    return f"{value:.2f}" if isinstance(value, float) else judgement.shown(value)


class Measured(NamedTuple):
    agreement: Agreement
    found: Interval | None
    kappa: Interval | None


def measured(pairs: Pairs, label: str) -> Measured:
    """`n` of both intervals: groups that have the label. That of `found` is at least Wilson's for so many trials."""
    rows = tables(pairs.values(), label)
    whole = agreement(rows.sum(axis=0))
    rng = np.random.default_rng(SEED)
    found = resampled(rows, lambda t: agreement(t).found, DRAWS, rng)
    kappas = resampled(rows, lambda t: agreement(t).kappa, DRAWS, rng)
    groups = int((rows[:, :2].sum(axis=1) > 0).sum())
    share = percentiles(whole.found, found, groups)
    if share is not None:
        least = Interval.of_share(share.value, groups)
        share = share._replace(low=min(share.low, least.low), high=max(share.high, least.high))
    return Measured(whole, share, percentiles(whole.kappa, kappas, groups))


def verdict(real: Interval | None, simulated: Interval | None) -> str:
    """Of the difference; its interval (MOVER: of the two sides' intervals) decides."""
    if real is None or simulated is None or min(real.n, simulated.n) < LEAST:
        return "too few"
    gap = simulated.value - real.value
    low = gap - hypot(simulated.value - simulated.low, real.high - real.value)
    high = gap + hypot(simulated.high - simulated.value, real.value - real.low)
    state = "met" if low >= -BEHIND else "not met" if high < -BEHIND else "not shown"
    return f"{gap:+.2f} [{low:+.2f}, {high:+.2f}] {state}{', caricature' if gap > AHEAD else ''}"


def overall(pairs: Pairs, of: Callable[[np.ndarray], float | None]) -> Interval | None:
    rows = np.stack([confusion(some, INTENTS) for some in pairs.values()])
    drawn = resampled(rows, of, DRAWS, np.random.default_rng(SEED))
    return percentiles(of(rows.sum(axis=0)), drawn, len(rows))


def print_real(dev: Sequence[Example], tagger: SecondTagger) -> dict[str, Measured]:
    """A message counts once for each labeller, so shares are means over both; resampled by dialogue."""
    n: Counter[str] = Counter()
    by_reference: dict[str, dict[str, list[tuple[str, str]]]] = {}
    for (label, _), found in zip(dev, tagger.tag([Said.of(*m) for _, m in dev]), strict=True):
        given = (label.first, label.second or label.first)
        some = by_reference.setdefault(label.reference, {}).setdefault(label.dialogue_id, [])
        some += [(name, found) for name in given]
        n.update(set(given))
    pairs = {group: some for groups in by_reference.values() for group, some in groups.items()}
    real = {name: measured(pairs, name) for name in INTENTS}
    print("| intent | n (either labeller) | found | kappa |\n|---|---:|---|---|")
    for name, m in real.items():
        print(f"| {name} | {n[name]} | {shown(m.found)} | {shown(m.kappa)} |")
    print("\n| reference | n | right | kappa over all intents |\n|---|---:|---|---|")
    for name, some in {**by_reference, "all": pairs}.items():
        count = sum(map(len, some.values())) // 2
        print(f"| {name} | {count} | {shown(overall(some, accuracy))} | {shown(overall(some, overall_kappa))} |")
    return real


def print_simulated(
    dialogues: Sequence[Dialogue], said: Sequence[Sequence[Spoken]], real: Mapping[str, Measured]
) -> None:
    pairs: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for d, messages in zip(dialogues, said, strict=True):
        pairs[d.scenario.group_id] += [(s.requested, s.second) for s in messages if s.requested in INTENTS]
    pairs = {group: some for group, some in pairs.items() if some}
    turns = sum(map(len, pairs.values()))
    print(f"\nrequested against found, {len(dialogues)} dialogues in {len(pairs)} groups, {turns} turns:\n")
    print("| intent | n requested | found | kappa | found in real turns | kappa | found less real | kappa less real |")
    print("|---|---:|---|---|---|---|---|---|")
    for name in INTENTS:
        m, r = measured(pairs, name), real[name]
        figures = " | ".join(shown(x) for x in (m.found, m.kappa, r.found, r.kappa))
        print(f"| {name} | {m.agreement.n} | {figures} | {verdict(r.found, m.found)} | {verdict(r.kappa, m.kappa)} |")
    if pairs:
        print(f"\nkappa over all intents: {shown(overall(pairs, overall_kappa))}")


def real_side(reference: Reference, lengths: Sequence[int]) -> tuple[list[Dialogue], list[Split]]:
    """Beginnings as long as the simulated dialogues, of as few splits as give enough; `fit` is what the tagger and the
    latents learned from, and comes last.
    """
    found: list[Dialogue] = []
    used: list[Split] = []
    for split in ("test", "dev", "fit"):
        if len(found) < ENOUGH:
            used.append(split)
            found += reference.windows(split, lengths, SEED)
    return found, used


def merged(dialogue: Dialogue) -> Dialogue:
    """With one message a turn, as references have it whose corpus keeps no double texts."""
    turns: list[Turn] = []
    for turn in dialogue.turns:
        if turns and turns[-1].role == turn.role and turns[-1].text and turn.text:
            turns[-1] = turns[-1].model_copy(update={"text": f"{turns[-1].text} {turn.text}"})
        else:
            turns.append(turn)
    return dialogue.model_copy(update={"turns": tuple(turns)})


def print_bigrams(
    spec: str, dialogues: Sequence[Dialogue], said: Sequence[Sequence[Spoken]], tagger: SecondTagger
) -> None:
    real, used = real_side(load_reference(spec, cache_folder()), [len(d.turns) for d in dialogues])
    few = "" if len(real) >= ENOUGH else f" (fewer than {ENOUGH})"
    print(f"\nbigrams of found intents, {len(real)} real dialogues{few} of {spec} ({', '.join(used)}), windows:\n")
    print("| found by | bigrams | compared | groups a sample | apart | floor | wanted | |")
    print("|---|---|---:|---:|---|---:|---:|---|")
    real_said = spoken(real, tagger)
    if not any(s.message.mine for messages in real_said for s in messages):
        said = spoken([merged(d) for d in dialogues], tagger)
    for title, name in (("second tagger", lambda s: s.second), ("tagger of the generation", lambda s: s.first)):
        sides: list[list[Counts]] = []
        for some, messages in ((real, real_said), (dialogues, said)):
            groups: dict[str, Counts] = defaultdict(Counter)
            for d, m in zip(some, messages, strict=True):
                groups[d.scenario.group_id] += bigrams(m, name)
            sides.append([counts for counts in groups.values() if counts])
        for how, given in (("as they come", None), ("given the other side's act", _ACT)):
            found = distance(sides[0], sides[1], np.random.default_rng(SEED), given=given)
            if found is None:
                print(f"| {title} | {how} | - | too few | - | - | - | not shown |")
            else:
                figures = f"{found.covered:.2f} | {found.groups} | {shown(found.apart)} | {found.floor:.2f}"
                figures += f" | {found.floor + APART:.2f}"
                enough = min(len(real), ENOUGH) == ENOUGH and found.groups >= LEAST
                print(f"| {title} | {how} | {figures} | {found.within(APART) if enough else 'too few'} |")


def star_samples(file: Path) -> tuple[dict[str, list[Told]], dict[str, int]]:
    """By kind of instruction, at most MOST messages right after one that asks for intents, and how many there are.
    Messages after no instruction are of the kinds "first" and "later".
    """
    by_kind: dict[str, list[Told]] = defaultdict(list)
    for row in read_rows(file):
        guide = orjson.loads(row["meta"]).get("user_guide") or ()
        for told in told_messages([(t["role"] == "user", t["text"] or "") for t in row["turns"]], guide):
            if told.guide is None or told.guide.intents:
                by_kind[told.guide.kind if told.guide else "first" if told.first else "later"].append(told)
    rng = np.random.default_rng(SEED)
    some = {kind: [all_[i] for i in rng.permutation(len(all_))[: 2 * MOST]] for kind, all_ in by_kind.items()}
    return {k: v[: MOST if v[0].guide else None] for k, v in some.items()}, {k: len(v) for k, v in by_kind.items()}


def print_star(file: Path, tagger: SecondTagger) -> None:
    chosen, total = star_samples(file)
    second = iter(tagger.tag([Said.of(t.text, t.others, t.mine) for t in chain.from_iterable(chosen.values())]))
    found = {k: [(t, (next(second), tag(t.text, t.others, t.mine).intent)) for t in v] for k, v in chosen.items()}
    kinds = sorted((kind for kind, some in chosen.items() if some[0].guide), key=lambda kind: -total[kind])
    for which, title in enumerate(("second tagger", "tagger of the generation")):
        print(f"\nSTAR, messages right after an instruction, {title}:\n")
        print("| kind | in all | n | intents | first of them | any of them | any, without an instruction |")
        print("|---|---:|---:|---|---|---|---:|")
        hits, lucky, n = 0, 0.0, 0
        for kind in kinds:
            guide, rows = found[kind][0][0].guide, [names[which] for _, names in found[kind]]
            assert guide is not None
            base = {place: [names[which] in guide.intents for _, names in found[place]] for place in ("first", "later")}
            without = sum(np.mean(base["first" if told.first else "later"]) for told, _ in found[kind]) / len(rows)
            right = sum(name in guide.intents for name in rows)
            first, any_ = (
                shown(Interval.of_share(x / len(rows), len(rows))) for x in (rows.count(guide.intents[0]), right)
            )
            figures = f"{' '.join(guide.intents)} | {first} | {any_} | {without:.2f}"
            print(f"| {kind} | {total[kind]} | {len(rows)} | {figures} |")
            hits, lucky, n = hits + right, lucky + without * len(rows), n + len(rows)
        print(
            f"| all | {sum(total[k] for k in kinds)} | {n} | | | {shown(Interval.of_share(hits / n, n))} |"
            f" {lucky / n:.2f} |"
        )


def second_tagger(corpora: Path) -> tuple[SecondTagger, list[Example], list[Example]]:
    """Trained on the hand labels of the references' fit splits; those, and those of the dev splits."""
    train, dev = examples(corpora)
    embed = Stored()
    return fit_second_tagger([Said.of(*m) for _, m in train], [label.first for label, _ in train], embed), train, dev


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="*", type=Path, metavar="RUN_DIR")
    parser.add_argument("--reference", metavar="SPEC")
    parser.add_argument("--family", help="of the runs' dialogues only this one's")
    parser.add_argument("--labels", nargs="+", help="real turns of these references only (default: of all five)")
    parser.add_argument("--star", action="store_true")
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    wanted = parser.parse_args()
    began = time.monotonic()
    tagger, train, dev = second_tagger(wanted.corpora)
    dev = [e for e in dev if not wanted.labels or e[0].reference in wanted.labels]
    print(f"second tagger, trained on {len(train)} messages, on {len(dev)} real ones that two labellers worked on\n")
    real = print_real(dev, tagger)
    if wanted.runs:
        records = chain.from_iterable(map(read_dialogues, wanted.runs))
        dialogues = [r.dialogue for r in records if wanted.family in (None, r.dialogue.scenario.family)]
        dialogues = [
            d for d in dialogues if any(t.role == d.partner and t.intent_requested in INTENTS for t in d.turns)
        ]
        said = spoken(dialogues, tagger)
        print_simulated(dialogues, said, real)
        if wanted.reference:
            print_bigrams(wanted.reference, dialogues, said, tagger)
    if wanted.star:
        print_star(wanted.corpora / "task_oriented__star.parquet", tagger)
    print(f"\n{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
