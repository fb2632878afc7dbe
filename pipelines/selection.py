"""Which groups stay: scores and the selectors, over the pool of all rounds, one family at a time.

The pool is streamed: what is held in memory is a bounded sample for fitting, and one small sketch a dialogue.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from discriminators.user_turns import Sample
from filters.sampling import draw_evenly
from outputs.manifest import Feasible, SelectionReward
from outputs.publish import Decision
from outputs.store import read_records, read_table
from pipelines import selection_figures as figures
from pipelines.recipe import Recipe
from pipelines.recipe_families import FamilyEntry
from pipelines.reference import Reference
from pipelines.scoring import PER_SIDE, Scorer, fit_scorer, unscored
from pipelines.sketches import Sketches, of_dialogues
from pipelines.steering import Observed
from schemas.contracts import EmbedTexts
from schemas.dialogue import Dialogue
from schemas.identity import derive
from schemas.judgement import Judged, Realism, Selection
from schemas.record import Record

_KEPT = Selection(keep=True)
_OVER = Selection(keep=False, reason="over_target")


class Matched(NamedTuple):
    """What a family's pool could give, what was chosen of it, and what it is like: the next round's latents follow
    from that.
    """

    feasible: Feasible
    reward: SelectionReward
    seen: Observed


@dataclass(slots=True)
class Pool:
    """What became of every dialogue so far."""

    decisions: dict[str, Decision] = field(default_factory=dict[str, Decision])
    accepted: Counter[str] = field(default_factory=Counter[str])
    """Dialogues by family."""
    made: Counter[str] = field(default_factory=Counter[str])
    valid: Counter[str] = field(default_factory=Counter[str])
    matched: dict[str, Matched] = field(default_factory=dict[str, Matched])
    """Of the families that were matched."""


@dataclass(slots=True)
class _Groups:
    """The whole, valid groups of one family, by id, with the number of turns of each dialogue."""

    members: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    reasons: dict[str, str] = field(default_factory=dict[str, str])
    """Group -> why a member of it is invalid."""
    lengths: list[int] = field(default_factory=list[int])

    def whole(self, siblings: int) -> set[str]:
        return {g for g, ids in self.members.items() if g not in self.reasons and len(ids) == siblings}


def select(
    recipe: Recipe, shards: Sequence[Path], references: Mapping[str, Reference | None], embed: EmbedTexts
) -> Pool:
    """The provisional selection of a round, and the final one when nothing follows."""
    pool = Pool()
    quotas = recipe.quotas()
    for entry in recipe.families:
        _family(recipe, entry, quotas[entry.name], shards, references.get(entry.name), embed, pool)
    return pool


def _family(
    recipe: Recipe,
    entry: FamilyEntry,
    quota: int,
    shards: Sequence[Path],
    reference: Reference | None,
    embed: EmbedTexts,
    pool: Pool,
) -> None:
    groups = _survey(shards, entry, pool)
    whole = groups.whole(entry.siblings)
    for group, ids in groups.members.items():
        if group not in whole:
            reason = groups.reasons.get(group, "incomplete_group")
            pool.decisions.update({i: Decision(Selection(keep=False, reason=reason)) for i in ids})
    scorer = None if reference is None else _fit(recipe, entry, shards, whole, groups.lengths, reference, embed)
    members = _members(shards, entry, whole)
    judged = map(unscored, members) if scorer is None else scorer.judged(members)
    seen = Observed(entry.family, () if scorer is None else scorer.given.names)
    judged = _observed(judged, seen)
    realism: dict[str, tuple[Realism, dict[str, str]]] = {}
    sketches = _sketches(recipe, judged, realism)
    left = set(realism)
    if not left:
        return
    chosen = dict.fromkeys(realism, _KEPT)
    errors = {} if scorer is None else scorer.given.errors
    for number, selector in enumerate(recipe.selectors):
        table = of_dialogues(sketches[number], left)
        choice = selector.select(table, quota, derive(recipe.seed, "select", entry.name), errors)
        found = dict(choice.each)
        chosen |= found
        left = {name for name, selection in found.items() if selection.keep}
        if choice.feasibility is not None:
            given = None if scorer is None else scorer.given
            feasible = figures.feasible(entry.name, choice.feasibility, given)
            reward = figures.selection_reward(entry.name, table, found)
            pool.matched[entry.name] = Matched(feasible, reward, seen)
    over = _over(groups, left, quota, derive(recipe.seed, "over", entry.name))
    chosen |= dict.fromkeys(over, _OVER)
    for name, (scores, labels) in realism.items():
        pool.decisions[name] = Decision(chosen[name], realism=scores, labels=labels)
    pool.accepted[entry.name] = len(left) - len(over)


def _over(found: _Groups, left: Collection[str], quota: int, seed: int) -> list[str]:
    """Dialogues that are one too many, as whole groups: selectors may leave more than was ordered."""
    groups = {group: ids for group, ids in found.members.items() if ids[0] in left}
    kept = draw_evenly(list(groups), np.array([len(ids) for ids in groups.values()], int), quota, seed)
    return [i for ids, keep in zip(groups.values(), kept, strict=True) if not keep for i in ids]


def valid_dialogues(recipe: Recipe, shards: Sequence[Path]) -> dict[str, int]:
    """By family, those of whole, valid groups: what could be kept at the most."""
    siblings = {entry.name: entry.siblings for entry in recipe.families}
    found: Counter[tuple[str, str]] = Counter()
    for path in shards:
        table = read_table(path, ("family", "group_id", "selection"))
        rows = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        found.update((family, group) for family, group, selection in rows if selection is None)
    valid: Counter[str] = Counter()
    for (family, _), members in found.items():
        valid[family] += members if members == siblings.get(family) else 0
    return dict(valid)


def _observed(judged: Iterable[Judged], seen: Observed) -> Iterator[Judged]:
    for item in judged:
        seen.add(item)
        yield item


def _survey(shards: Sequence[Path], entry: FamilyEntry, pool: Pool) -> _Groups:
    found = _Groups()
    for record in _of(shards, entry):
        scenario = record.dialogue.scenario
        found.members.setdefault(scenario.group_id, []).append(record.dialogue.id)
        pool.made[entry.name] += 1
        if record.selection is not None:
            found.reasons.setdefault(scenario.group_id, record.selection.reason)
        else:
            pool.valid[entry.name] += 1
            found.lengths.append(len(record.dialogue.turns))
    return found


def _fit(
    recipe: Recipe,
    entry: FamilyEntry,
    shards: Sequence[Path],
    whole: set[str],
    lengths: Sequence[int],
    reference: Reference,
    embed: EmbedTexts,
) -> Scorer:
    """On the fit split, cut to the synthetic lengths: what users do late in a dialogue is not what they do early."""
    seed = derive(recipe.seed, "realism", entry.name)
    kept = set(sorted(whole, key=lambda g: derive(seed, g))[:PER_SIDE])
    synthetic = [Sample.of(r.dialogue) for r in _of(shards, entry) if r.dialogue.scenario.group_id in kept]
    beginnings = reference.beginnings("fit", lengths, seed) if lengths else iter(())
    real = [Sample.of(d) for d in islice(beginnings, PER_SIDE)]
    named = {d.import_path().rsplit(".", 1)[-1]: d for d in recipe.discriminators}
    return fit_scorer(named, real, synthetic, embed, seed)


def _sketches(
    recipe: Recipe, judged: Iterable[Judged], realism: dict[str, tuple[Realism, dict[str, str]]]
) -> list[pa.Table]:
    """One table a selector; fills `realism` with what publishing needs."""
    sketches = Sketches(recipe.selectors)
    for item in judged:
        realism[item.dialogue.id] = (item.realism, item.labels)
        sketches.add(item)
    return sketches.tables()


def _of(shards: Sequence[Path], entry: FamilyEntry) -> Iterator[Record]:
    return (r for r in read_records(shards) if r.dialogue.scenario.family == entry.name)


def _members(shards: Sequence[Path], entry: FamilyEntry, whole: set[str]) -> Iterator[Dialogue]:
    return (r.dialogue for r in _of(shards, entry) if r.dialogue.scenario.group_id in whole)
