"""What is reported of the published dialogues: fresh classifiers on the test split, label marginals, rewards, and
policies side by side. Nothing here is used to select. The unit of every interval is the group.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np

from discriminators.domains import like_domains
from discriminators.heads import MATCHED, REPORTED_ONLY
from discriminators.standardised import LabelShare, Marked, label_points, label_shares, marked
from discriminators.two_sample.crossfitted import TwoSample, classifier_test, real_floor
from discriminators.two_sample.heads import head_distance
from discriminators.user_turns import Sample
from outputs.manifest import LABEL_DISTANCES, FaultCount, HeadMarginal, Measure, PolicyPair, RewardSummary
from pipelines import intent_shares
from pipelines.reference import Reference
from pipelines.scoring import NO_REFERENCE, PER_SIDE
from schemas.contracts import Discriminator, EmbedTexts
from schemas.identity import derive
from schemas.judgement import Interval
from schemas.record import Record


@dataclass(slots=True)
class Gathered:
    """What one pass over the rows of a family keeps of them."""

    samples: list[Sample] = field(default_factory=list[Sample])
    """Published ones, bounded."""
    before: list[Sample] = field(default_factory=list[Sample])
    """All that could have been published, bounded."""
    spoken: list[intent_shares.Spoken] = field(default_factory=list[intent_shares.Spoken])
    """Messages of the first published ones."""
    lengths: list[int] = field(default_factory=list[int])
    turns: dict[str, dict[str, list[int]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """Group -> policy -> turns of the published dialogues."""
    rewards: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """(reward, policy) -> one mean a dialogue."""
    missing: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    rejected: Counter[tuple[str, str]] = field(default_factory=Counter[tuple[str, str]])
    """(policy, reason)"""
    faults: Counter[tuple[str, bool]] = field(default_factory=Counter[tuple[str, bool]])
    """(kind, whether it was published): turns as first made, and turns of published dialogues."""
    made: Counter[str] = field(default_factory=Counter[str])
    """By policy."""
    published: Counter[str] = field(default_factory=Counter[str])


def gather(records: Iterable[Record]) -> dict[str, Gathered]:
    """By family, over published and rejected rows; `selection.keep` tells them apart."""
    found: dict[str, Gathered] = defaultdict(Gathered)
    for record in records:
        scenario = record.dialogue.scenario
        into = found[scenario.family]
        into.made[scenario.policy] += 1
        kept = record.selection is None or record.selection.keep
        into.faults.update(_faults(record, kept))
        if (record.labels is not None or kept) and len(into.before) < PER_SIDE:
            into.before.append(Sample.of(record.dialogue))
        if not kept:
            reason = record.selection.reason if record.selection else "unknown"
            into.rejected[scenario.policy, reason] += 1
            continue
        into.published[scenario.policy] += 1
        into.lengths.append(len(record.dialogue.turns))
        into.turns[scenario.group_id][scenario.policy].append(len(record.dialogue.turns))
        if len(into.samples) < intent_shares.MOST:
            into.spoken += intent_shares.spoken(record.dialogue)
        if len(into.samples) < PER_SIDE:
            into.samples.append(Sample.of(record.dialogue))
        _rewards(record, into)
    return found


def _faults(record: Record, kept: bool) -> Iterable[tuple[str, bool]]:
    for labels in (turn.labels for turn in record.dialogue.turns):
        found = [str(fault["kind"]) for fault in labels.get("faults", ())]
        for kind in labels.get("remade", ())[:1] or found:
            yield kind, False
        for kind in found if kept else ():
            yield kind, True


def fault_counts(families: Mapping[str, Gathered]) -> list[FaultCount]:
    total: Counter[tuple[str, bool]] = Counter()
    for found in families.values():
        total.update(found.faults)
    made, published = (sum(sum(c.values()) for c in counts) for counts in _sizes(families))
    return [
        FaultCount(kind=k, first=total[k, False], first_n=made, kept=total[k, True], kept_n=published)
        for k in sorted({kind for kind, _ in total})
    ]


def _sizes(families: Mapping[str, Gathered]) -> tuple[list[Counter[str]], list[Counter[str]]]:
    return [f.made for f in families.values()], [f.published for f in families.values()]


def _rewards(record: Record, into: Gathered) -> None:
    values: dict[str, list[float]] = defaultdict(list)
    policy = record.dialogue.scenario.policy
    for reward in record.rewards:
        if reward.value is None:
            into.missing[reward.name, policy][reward.reason or "unknown"] += 1
        else:
            values[reward.name].append(reward.value)
    for name, given in values.items():
        into.rewards[name, policy].append(sum(given) / len(given))


def realism(
    discriminators: Sequence[Discriminator],
    family: str,
    seed: int,
    found: Gathered,
    reference: Reference | None,
    embed: EmbedTexts,
) -> tuple[list[Measure], list[HeadMarginal]]:
    """Measures of the published partner sides against reference.test, each beside real against real."""
    if reference is None:
        return [Measure(family=family, name="all", value=None, note=NO_REFERENCE)], []
    seed = derive(seed, "report", family)
    dialogues = list(islice(reference.beginnings("test", found.lengths or [6], seed), PER_SIDE))
    real = [Sample.of(d) for d in dialogues]
    masked = not like_domains(real, found.samples, seed)
    seen = [[sample.masked() if masked else sample for sample in side] for side in (real, found.samples)]
    measures: list[Measure] = []
    for discriminator in discriminators:
        name = discriminator.import_path().rsplit(".", 1)[-1]
        test = classifier_test(discriminator, seen[0], seen[1], embed, derive(seed, name))
        floor = real_floor(discriminator, seen[0], max(len(found.samples), 2), embed, derive(seed, name))
        measures.append(_measure(family, name, test, floor, masked))
    marginals: list[HeadMarginal] = []
    for head in (*MATCHED, *REPORTED_ONLY):
        sides = [marked(side, head) for side in (real, found.before, found.samples)]
        measures.append(_distance(family, head, sides, seed))
        marginals.extend(_marginal(family, head, share) for share in label_shares(*sides))
    spoken = dialogues[: intent_shares.MOST]
    return measures, marginals + intent_shares.intent_marginals(family, spoken, found.spoken, reference, embed, seed)


def _distance(family: str, head: str, sides: Sequence[Sequence[Marked]], seed: int) -> Measure:
    """`sides`: real, before selection, published."""
    real, before, after = sides
    distance = head_distance(*label_points(real, after), derive(seed, "after", "head", head))
    found = distance.value
    return Measure(
        family=family,
        name=head,
        group=LABEL_DISTANCES,
        value=found.value if found else None,
        low=found.low if found else None,
        high=found.high if found else None,
        n=found.n if found else 0,
        floor_high=distance.floor,
        before=head_distance(*label_points(real, before), derive(seed, "before", "head", head)).value,
        note=distance.reason or "the floor is the 95th percentile of real against real",
    )


def _marginal(family: str, head: str, share: LabelShare) -> HeadMarginal:
    """Real shares as if real assistants had acted like those of the published dialogues; so are those before."""
    before: Interval | None = share.before
    return HeadMarginal(
        family=family,
        head=head,
        label=share.label,
        real=share.real.value,
        synthetic_before=before and before.value,
        synthetic_after=share.after.value,
        n_real=share.real.n,
        n_before=before.n if before else 0,
        n_after=share.after.n,
        matched=head in MATCHED,
        before_low=before and before.low,
        before_high=before and before.high,
        after_low=share.after.low,
        after_high=share.after.high,
        floor_low=share.floor[0],
        floor_high=share.floor[1],
    )


def _measure(family: str, name: str, test: TwoSample, floor: TwoSample, masked: bool) -> Measure:
    unlike = "; the sides talk about unlike things, so texts are compared without what they are about" if masked else ""
    return Measure(
        family=family,
        name=name,
        group="AUC of a fresh classifier, real against synthetic",
        value=test.auc.value if test.auc else None,
        low=test.auc.low if test.auc else None,
        high=test.auc.high if test.auc else None,
        n=test.auc.n if test.auc else 0,
        floor_value=floor.auc.value if floor.auc else None,
        floor_low=floor.auc.low if floor.auc else None,
        floor_high=floor.auc.high if floor.auc else None,
        note=test.reason or f"0.5: cannot tell them apart{unlike}",
    )


def reward_summaries(family: str, found: Gathered, seed: int) -> list[RewardSummary]:
    summaries: list[RewardSummary] = []
    for name, policy in sorted({*found.rewards, *found.missing}):
        values = np.asarray(found.rewards.get((name, policy), []))
        mean, low, high = mean_interval(values, derive(seed, family, name, policy))
        counts, edges = np.histogram(values, bins=10) if len(values) else (np.array([]), np.array([]))
        summaries.append(
            RewardSummary(
                name=name,
                policy=policy,
                family=family,
                mean=mean,
                low=low,
                high=high,
                n=len(values),
                edges=tuple(float(e) for e in edges),
                counts=tuple(int(c) for c in counts),
                none_reasons=dict(sorted(found.missing.get((name, policy), Counter[str]()).items())),
            )
        )
    return summaries


def policy_pair(
    family: str, found: Gathered, seed: int, first: str = "reactive", second: str = "proactive"
) -> PolicyPair:
    """Turns of the same cases under two policies."""
    both = [
        (np.mean(g[first]), np.mean(g[second]))
        for _, g in sorted(found.turns.items())
        if g.get(first) and g.get(second)
    ]
    if not both:
        return PolicyPair(family=family, first=first, second=second, note="no group has both policies")
    pairs = np.asarray(both)
    difference, low, high = mean_interval(pairs[:, 1] - pairs[:, 0], derive(seed, family, "pair"))
    return PolicyPair(
        family=family,
        first=first,
        second=second,
        first_mean=float(pairs[:, 0].mean()),
        second_mean=float(pairs[:, 1].mean()),
        difference=difference,
        low=low,
        high=high,
        n=len(pairs),
    )


def mean_interval(values: np.ndarray, seed: int, draws: int = 2000) -> tuple[float | None, float | None, float | None]:
    """Mean with its 95% percentile bootstrap interval; no interval for fewer than two values."""
    if not len(values):
        return None, None, None
    mean = float(values.mean())
    if len(values) < 2:
        return mean, None, None
    generator = np.random.default_rng(seed)
    means = np.array([values[generator.integers(len(values), size=len(values))].mean() for _ in range(draws)])
    low, high = np.percentile(means, [2.5, 97.5])
    return mean, float(low), float(high)


def none_rewards(families: Mapping[str, Gathered]) -> dict[str, dict[str, int]]:
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for found in families.values():
        for (name, _), reasons in found.missing.items():
            total[name].update(reasons)
    return {name: dict(sorted(reasons.items())) for name, reasons in sorted(total.items())}
