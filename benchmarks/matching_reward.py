"""Does selection choose by reward? Inclusion and success given what users do, and what the figure says where it does.

    python benchmarks/matching_reward.py [--n 750] [--share 0.4]      (n people of each of three domains)

Scripted: two families' people are played with a reactive and a proactive assistant, both sides in the program's words,
and matched to real dialogues. The unit is the group of the two. Ours must be shown to be at most .05 (at 2,000 groups
or more); the planted selections, which prefer successes or hide that they do, must be found: their interval beyond .05.
"""

import argparse
import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple, get_args

import conversation_scripted as conversation
import numpy as np
import pyarrow as pa
import recommendation_scripted as recommendation
from matching_planted import Encoder

from discriminators.crossfit import cross_fit
from discriminators.given import fit_given
from discriminators.head_logistic import HeadLogistic
from discriminators.ngram import NgramLogistic
from discriminators.user_turns import Sample
from filters.distribution_match import DistributionMatch
from filters.reward_correlation import reward_correlation
from generators.domains.recommendation import Domain as Wares
from generators.domains.small_talk import Domain as Talk
from pipelines.reference import load_reference
from schemas.dialogue import Dialogue
from schemas.judgement import Judged, Selection
from schemas.scenario import Policy

CORPORA = Path(__file__).parents[1].parent / "shared" / "corpora"
CACHE = Path("/tmp/overture-benchmarks")
SEED = 7
MOST = 2000
"""Dialogues a side that classifiers and residuals are fitted on."""
POLICIES: tuple[Policy, ...] = ("reactive", "proactive")
LIMIT = 0.05
Errors = Mapping[str, np.ndarray]
"""`Given.errors`."""


class Case(NamedTuple):
    play: Callable[[int, Policy], Awaitable[list[Dialogue]]]
    reference: str
    """Corpus."""


CASES = {
    "recommendation": Case(lambda n, p: recommendation.dialogues(get_args(Wares), n, p), "recommendation__redial"),
    "conversation": Case(lambda n, p: conversation.dialogues(get_args(Talk), n, 8, p), "open_domain__chitchat"),
}


def named(dialogue: Dialogue, number: int, policy: Policy) -> Dialogue:
    group = f"{number:05d}"
    ids = {"group_id": group, "dialogue_id": f"{group}-{policy}"}
    return dialogue.model_copy(update={"scenario": dialogue.scenario.model_copy(update=ids)})


async def played(case: Case, n: int) -> list[Dialogue]:
    sides = [(policy, await case.play(n, policy)) for policy in POLICIES]
    return [named(d, number, policy) for policy, side in sides for number, d in enumerate(side)]


def sketched(dialogues: Sequence[Dialogue], corpus: str) -> tuple[pa.Table, Errors]:
    reference = load_reference(f"path:{CORPORA / f'{corpus}.parquet'}", CACHE)
    lengths = [len(d.turns) for d in dialogues]
    # masked: the scripted side's words are its own
    real = [Sample.of(d).masked() for d in islice(reference.beginnings("fit", lengths, SEED), MOST)]
    made = [Sample.of(d).masked() for d in dialogues]
    embed = Encoder([t.text for side in (real, made[:MOST]) for s in side for t in s.turns], "word", (1, 1), 32)
    families = {"ngram": NgramLogistic(), "heads": HeadLogistic()}
    realism = cross_fit(families, real, made, embed, SEED, per_side=MOST).scores(made)
    given = fit_given(real, embed, SEED)
    stage = DistributionMatch()
    rows = [
        {
            "dialogue_id": d.id,
            "group_id": d.scenario.group_id,
            **stage.sketch(Judged(d, scores, {}, found, Counter(t.given for t in sample.turns))),
        }
        for d, sample, scores, found in zip(dialogues, made, realism, given.residuals(made), strict=True)
    ]
    return pa.Table.from_pylist(rows), given.errors


def selections(table: pa.Table, errors: Errors, keep: int) -> dict[str, Mapping[str, Selection]]:
    groups = table["group_id"].to_pylist()
    names = table["dialogue_id"].to_pylist()
    won = dict[str, float]()
    for group, success in zip(groups, table["success"].to_pylist(), strict=True):
        won[group] = won.get(group, 0.0) + success / len(POLICIES)
    ours = dict(DistributionMatch().select(table, keep, SEED, errors).each)
    kept = {group: ours[name].keep for group, name in zip(groups, names, strict=True)}
    draws, share = np.random.default_rng(SEED), keep / len(names)
    prefers = {g: bool(draws.random() < share * (2 / 3 + 2 / 3 * w)) for g, w in won.items()}
    best = set(sorted(won, key=lambda g: (-won[g], g))[: sum(kept.values())])
    hidden = dict(kept)
    lost = [g for g, k in kept.items() if k and won[g] < 0.5][::5]
    hidden |= dict.fromkeys(lost, False)
    hidden |= dict.fromkeys([g for g, k in kept.items() if not k and won[g] > 0.5][: len(lost)], True)

    def of(chosen: Mapping[str, bool]) -> dict[str, Selection]:
        return {name: Selection(keep=chosen[group]) for group, name in zip(groups, names, strict=True)}

    return {
        "ours": ours,
        "success makes it twice as likely": of(prefers),
        "ours, a fifth of the failures exchanged": of(hidden),
        "best rewards first": of({g: g in best for g in won}),
    }


def run(name: str, n: int, share: float) -> None:
    began = time.monotonic()
    dialogues = asyncio.run(played(CASES[name], n))
    table, errors = sketched(dialogues, CASES[name].reference)
    keep = round(share * len(dialogues) / len(POLICIES)) * len(POLICIES)
    limits = DistributionMatch().select(table, keep, SEED, errors).feasibility
    print(f"\n## {name} to {CASES[name].reference}: {keep} of {len(dialogues)}, {limits.status if limits else ''}\n")
    print("| selection | success before | after | partial correlation | at most .05 is shown | found |\n|" + "---|" * 6)
    success = dict(zip(table["dialogue_id"].to_pylist(), table["success"].to_pylist(), strict=True))
    for method, chosen in selections(table, errors, keep).items():
        found = reward_correlation(table, chosen)
        after = float(np.mean([success[name] for name, s in chosen.items() if s.keep]))
        cells = [method, f"{np.mean(list(success.values())):.3f}", f"{after:.3f}"]
        if found.found is None or found.bound is None:
            print(f"| {' | '.join(cells)} | none: {found.reason} | | |")
            continue
        value, low, high, groups = found.found
        beyond = low > LIMIT or high < -LIMIT
        cells += [f"{value:+.3f} [{low:+.3f}, {high:+.3f}], n {groups:,}"]
        print(f"| {' | '.join(cells)} | {'yes' if found.bound <= LIMIT else 'no'} | {'yes' if beyond else 'no'} |")
    print(f"\n{time.monotonic() - began:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n", type=int, default=750)
    parser.add_argument("--share", type=float, default=0.4, help="of the dialogues, that is kept")
    parser.add_argument("--families", nargs="+", default=list(CASES), choices=list(CASES))
    wanted = parser.parse_args()
    for name in wanted.families:
        run(name, wanted.n, wanted.share)


if __name__ == "__main__":
    main()
