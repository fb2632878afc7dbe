"""How fast realism is: features, near-duplicates of a million dialogues, embeddings and their cache. Ours, limit, pass.

    python benchmarks/realism_speed.py [--dialogues 1000000] [--skip embeddings] [--corpora FOLDER]

Each part runs in a process of its own, whose peak memory is its own. Limits are for two cores: what runs in one process
is measured on one core and doubled where the work is divided among processes (features), and not where it is not. Times
are of CPU, as the machine may have other work; those of embeddings are by the clock. The dialogues
of the large pool are put together from messages of real ones, each from messages of one corpus; one in ten is
a near-copy (3% of its words changed) of an earlier one, and what becomes of the copies is in the table.
`n`: dialogues or texts; in brackets the slowest and fastest of ten parts.
"""

import argparse
import gc
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from discriminators.features import normalised
from discriminators.fingerprint import Fingerprint, fingerprint
from discriminators.given import fit_given
from discriminators.user_turns import Sample
from filters.near_duplicate import NearDuplicate
from inference.client import BlockingEmbedder
from inference.embedding_cache import CachedEmbed
from inference.embedding_server import EmbeddingServer
from inference.weights import fetch
from pipelines.dialogue_files import read_dialogues
from pipelines.sketches import Sketches
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.judgement import Judged, Realism
from schemas.scenario import Scenario, View

CORPORA = Path(__file__).parents[2] / "shared" / "corpora"
NAMES = (
    "task_oriented__sgd",
    "task_oriented__star",
    "task_oriented__multiwoz",
    "recommendation__redial",
    "negotiation__persuasion_for_good",
    "negotiation__casino",
)
"""Of the table: twelve to twenty messages a dialogue, as ours."""
LONG = "open_domain__chitchat"
SEED = 7
PARTS = 10


class Line(NamedTuple):
    what: str
    ours: str
    n: int
    seconds: float
    peak_mb: int
    """Of the process so far."""
    limit: str = ""
    passed: bool | None = None
    """None: a figure beside the others."""


def corpus(folder: Path, name: str, most: int) -> list[Dialogue]:
    return [record.dialogue for record in islice(read_dialogues(folder / f"{name}.parquet"), most)]


def rates(work: Callable[[Sequence[Dialogue]], object], dialogues: Sequence[Dialogue]) -> tuple[float, float, float]:
    """Dialogues a second of CPU: of all, and the slowest and fastest of the parts."""
    spent: list[float] = []
    size = len(dialogues) // PARTS
    for part in range(PARTS):
        began = time.process_time()
        work(dialogues[part * size : (part + 1) * size])
        spent.append(time.process_time() - began)
    return size * PARTS / sum(spent), size / max(spent), size / min(spent)


def features(folder: Path) -> Iterator[Line]:
    short = [d for name in NAMES for d in corpus(folder, name, 700)]
    Random(SEED).shuffle(short)
    fit, short = short[:1000], short[1000:]
    given = fit_given([Sample.of(d) for d in fit], _no_meaning, SEED, components=0)
    fingerprint(short[0])  # loads the word list
    gc.freeze()  # the dialogues that lie here are no part of the work
    messages = [text for d in short for text in d.texts()]
    long = f"{len(messages) / len(short):.0f} of {sum(map(len, map(str.split, messages))) / len(messages):.0f} words"
    yield Line("messages a dialogue", long, len(short), 0.0, peak_mb())

    def labelled(some: Sequence[Dialogue]) -> list[np.ndarray]:
        return list(given.residuals(map(Sample.of, some)))

    def everything(some: Sequence[Dialogue]) -> object:
        return labelled(some), _fingerprints(some)

    for what, work, dialogues, limit in (
        ("fingerprints a second", _fingerprints, short, 5000),
        ("the same again: words are known", _fingerprints, short, None),
        ("labels and residuals a second", labelled, short, 5000),
        ("all of these a second", everything, short, 5000),
        ("normalised texts of dialogues a second", _normalise, short, 5000),
        (f"fingerprints, {LONG}", _fingerprints, corpus(folder, LONG, 300), None),
        (f"labels, {LONG}", labelled, corpus(folder, LONG, 300), None),
    ):
        began = time.monotonic()
        rate, low, high = rates(work, dialogues)
        ours = f"{2 * rate:,.0f} ({2 * low:,.0f} to {2 * high:,.0f})"
        found = Line(f"{what}, two cores", ours, len(dialogues), time.monotonic() - began, peak_mb())
        yield found._replace(limit=f">= {limit:,}", passed=2 * rate >= limit) if limit else found


def _fingerprints(some: Sequence[Dialogue]) -> list[Fingerprint]:
    return [fingerprint(dialogue) for dialogue in some]


def _normalise(some: Sequence[Dialogue]) -> list[str]:
    return [normalised(text) for dialogue in some for text in dialogue.texts()]


def _no_meaning(texts: Sequence[str]) -> np.ndarray:
    return np.zeros((len(texts), 0), np.float32)


def near_duplicates(folder: Path, count: int) -> Iterator[Line]:
    texts = [[d.texts() for d in corpus(folder, name, 2000)] for name in NAMES]
    pools = [[text for said in some for text in said] for some in texts]
    lengths = [[len(said) for said in some] for some in texts]
    selector = NearDuplicate()
    blank = _blank()
    sketches = Sketches([selector])
    sketching = 0.0
    for number, said in enumerate(_pool(pools, lengths, count)):
        name = f"{number:07d}"
        scenario = blank.scenario.model_copy(update={"dialogue_id": name, "group_id": name})
        judged = Judged(blank.model_copy(update={"turns": said, "scenario": scenario}), Realism(), {})
        began = time.process_time()
        sketches.add(judged)
        sketching += time.process_time() - began
    began = time.process_time()
    kept = [int(name) for name, s in selector.select(sketches.tables()[0], count, SEED).each if s.keep]
    selecting = time.process_time() - began
    copies = set(range(9, count, 10))
    whole, limit = sketching + selecting, 600 * count / 1_000_000
    gb = peak_mb() / 1024
    yield Line("sketches a second, one core", f"{count / sketching:,.0f}", count, sketching, peak_mb())
    reach = f"< {limit:,.0f} s", whole < limit
    yield Line("near-duplicates: sketch and select", f"{whole:,.0f} s", count, whole, peak_mb(), *reach)
    yield Line("of this, select", f"{selecting:,.0f} s", count, selecting, peak_mb())
    yield Line("peak memory", f"{gb:.1f} GB", count, whole, peak_mb(), "< 6 GB", gb < 6)
    gone = len(copies - set(kept)) / max(1, len(copies))
    lost = 1 - len(set(kept) - copies) / (count - len(copies))
    yield Line("near-copies gone; others gone", f"{gone:.2%}; {lost:.2%}", count, selecting, peak_mb())


def _pool(pools: Sequence[Sequence[str]], lengths: Sequence[Sequence[int]], count: int) -> Iterator[tuple[Turn, ...]]:
    """Every tenth is a near-copy of one of the nine before it."""
    draws = Random(SEED)
    recent: list[list[str]] = []
    for number in range(count):
        if number % 10 == 9:
            said = [_changed(text, draws) for text in draws.choice(recent)]
            recent.clear()
        else:
            which = draws.randrange(len(pools))
            said = draws.choices(pools[which], k=draws.choice(lengths[which]))
            recent.append(said)
        yield tuple(Turn.model_construct(kind="utterance", role="user", text=text) for text in said)


def _changed(text: str, draws: Random) -> str:
    return " ".join("changed" if draws.random() < 0.03 else word for word in text.split())


def _blank() -> Dialogue:
    views = {role: View(role=role, brief="") for role in ("user", "assistant")}
    scenario = Scenario(family="f", domain="d", base_case_id="b", seed=0, goal="", views=views)
    return Dialogue(scenario=scenario, turns=(), ending=Ending(reason="max_turns"), learner="assistant", partner="user")


def embeddings(folder: Path, count: int) -> Iterator[Line]:
    texts = list({normalised(t) for name in NAMES for d in corpus(folder, name, 200) for t in d.texts(d.partner)})
    texts = Random(SEED).sample(sorted(texts), count)
    name = "all-minilm-l6-v2"
    with tempfile.TemporaryDirectory() as cache, EmbeddingServer(fetch(name), name, threads=1) as server:
        os.environ["OVERTURE_CACHE"] = cache
        embed = CachedEmbed(BlockingEmbedder(server.endpoints[0]), name, print)
        embed(texts[:16])  # the model is warm
        began = time.monotonic()
        fresh = embed(texts[16:])
        first = time.monotonic() - began
        spans: list[float] = []
        for _ in range(PARTS):
            began = time.monotonic()
            assert np.array_equal(embed(texts[16:]), fresh)
            spans.append(time.monotonic() - began)
    again, n = sum(spans) / PARTS, count - 16
    cached = f"{n / again:,.0f} ({n / max(spans):,.0f} to {n / min(spans):,.0f})"
    yield Line("embeddings a second, CPU, one thread", f"{n / first:,.0f}", n, first, peak_mb())
    yield Line("from the cache a second", cached, n, again, peak_mb())
    yield Line("times faster", f"{first / again:,.0f}", n, again, peak_mb(), ">= 50", first / again >= 50)


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _part(name: str, folder: Path, dialogues: int, texts: int) -> list[Line]:
    if name == "features":
        return list(features(folder))
    return list(near_duplicates(folder, dialogues) if name == "near-duplicates" else embeddings(folder, texts))


def main() -> None:
    parts = ("features", "near-duplicates", "embeddings")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=1_000_000, help="of the pool of near-duplicates")
    parser.add_argument("--texts", type=int, default=2016, help="embedded")
    parser.add_argument("--skip", action="append", default=[], choices=parts)
    parser.add_argument("--corpora", type=Path, default=CORPORA)
    wanted = parser.parse_args()
    if not wanted.corpora.is_dir():
        parser.exit(2, f"{wanted.corpora}: no such folder; --corpora names one with the reference corpora\n")
    print(f"{'what':50s} {'ours':>26s} {'limit':>10s} {'':>5s} {'n':>9s} {'peak MB':>8s} {'seconds':>8s}")
    for name in parts:
        if name in wanted.skip:
            continue
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as alone:
            for line in alone.submit(_part, name, wanted.corpora, wanted.dialogues, wanted.texts).result():
                verdict = "" if line.passed is None else "pass" if line.passed else "short"
                print(
                    f"{line.what:50s} {line.ours:>26s} {line.limit:>10s} {verdict:>5s} {line.n:9,d} "
                    f"{line.peak_mb:8,d} {line.seconds:8.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
