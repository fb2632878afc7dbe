"""A manifest with every part filled in, missing values included."""

from selection_samples import DISTANCES, FAMILY, FEASIBLE, HEADS, MOVED, ROUNDS, SELECTION_REWARD

from outputs.licences import Source
from outputs.manifest import FunnelStep, HeadMarginal, Manifest, Measure, PolicyPair, RewardSummary
from outputs.spent import EndpointUse, Spent, Tokens

_LOST = {("conversation", "published"): {"over_represented": 2, "leaked_fact": 1}}


def full_manifest(**changes: object) -> Manifest:
    manifest = Manifest(
        recipe="quickstart",
        command="overture run recipes/quickstart.yaml",
        status="short",
        status_reason="the time budget of 10 minutes was reached",
        target=16,
        published={"train": 10, "test": 2},
        seed=7,
        families=("conversation", "tutoring"),
        funnel=(
            FunnelStep(name="made", count=24),
            FunnelStep(name="valid", count=18, reasons={"repeated_message": 4, "leaked_fact": 1, "too_few_turns": 1}),
            FunnelStep(name="selected", count=14, reasons={"near_duplicate": 1, "distribution_match": 3}),
            FunnelStep(name="published", count=12, reasons={"sibling_invalid": 2}),
            *(
                FunnelStep(name=name, family=family, policy=policy, count=count, reasons=_LOST.get((family, name), {}))
                for family in ("conversation", "tutoring")
                for policy in ("proactive", "reactive")
                for name, count in (("made", 6), ("valid", 5 if policy == "proactive" else 4), ("published", 3))
            ),
        ),
        realism=(*_REALISM, *DISTANCES),
        heads=(*HEADS, _NO_REFERENCE),
        rewards=_REWARDS,
        policies=(
            PolicyPair(
                family="tutoring",
                first_mean=7.4,
                second_mean=5.6,
                difference=-1.8,
                low=-3.1,
                high=-0.4,
                n=6,
            ),
            PolicyPair(family="conversation", first_mean=8.0, second_mean=8.0, n=0, note="no_pairs"),
        ),
        none_rewards={"success": {"no_verifier": 6}, "saving": {"no_sibling": 2}},
        fingerprints={"generation": "9f1c22ab", "selection": "77aa01cd", "rewards": "0b51ee90"},
        versions={"overture": "0.1.0", "pyarrow": "26.0.1"},
        sources=(
            Source(name="Small-1.5B", kind="model", licence="Apache-2.0", version="cc324af0", use="both sides"),
            Source(name="chitchat", kind="reference", licence="MIT", version="0.9.0", use="realism", origin="index"),
        ),
        limits=("Written by a small model.",),
        seconds={"setup": 4.2, "dialogues": 412.0, "realism": 31.0, "publish": 2.4},
        tokens={
            "assistant": Tokens(prompt=48_210, completion=5_311, cached=30_112, calls=210, cost=0.31),
            "student": Tokens(prompt=9, calls=1),
        },
        spent=Spent(
            labels={"success": Tokens(calls=8, prompt=2_000, cached=1_500, completion=160, seconds=12.4)},
            invocations=2,
            tokens=Tokens(prompt=48_219, completion=5_311, cached=30_112, calls=211, replayed=14),
            tokens_an_accepted=4460.83,
            endpoints={
                "http://127.0.0.1:8000/v1": EndpointUse(
                    sent=220, answered=211, faults={"rate_limit": 2, "timeout": 5}, retries=7, set_aside=1, mean_s=0.482
                ),
                "http://127.0.0.1:8001/v1": EndpointUse(sent=3, cancelled=3),
            },
            worker_peak_mb=88.4,
            loop_lag_p99_ms=3.1,
        ),
        started="2026-11-21T10:00:00Z",
        finished="2026-11-21T10:07:30Z",
        feasible=FEASIBLE,
        rounds=ROUNDS,
        moved=MOVED,
        divergence={FAMILY: 0.17},
        divergence_bound=0.2,
        uncontrolled={FAMILY: ("typing",)},
        selection_reward=SELECTION_REWARD,
    )
    return manifest.model_copy(update=changes)


_REALISM = (
    Measure(
        family="conversation",
        name="ngram_auc",
        group="discriminator AUC",
        value=0.81,
        low=0.68,
        high=0.92,
        n=12,
        floor_value=0.52,
        floor_low=0.41,
        floor_high=0.63,
        note="char and word n-grams",
    ),
    Measure(
        family="conversation",
        name="embedding_auc",
        group="discriminator AUC",
        value=0.66,
        low=0.5,
        high=0.81,
        n=12,
        floor_value=0.49,
        floor_low=0.38,
        floor_high=0.6,
    ),
    Measure(
        family="conversation",
        name="question_tv",
        group="total variation",
        value=0.12,
        low=0.04,
        high=0.27,
        n=12,
        floor_value=0.05,
        floor_low=0.0,
        floor_high=0.14,
    ),
    Measure(family="conversation", name="topic_tv", group="total variation", value=0.3, n=12, note="no_interval"),
    Measure(family="tutoring", name="ngram_auc", group="discriminator AUC", value=None, note="no_reference"),
)


_NO_REFERENCE = HeadMarginal(
    family="tutoring",
    head="question",
    label="yes",
    real=None,
    synthetic_before=0.5,
    synthetic_after=0.55,
    n_after=6,
)

_REWARDS = (
    RewardSummary(
        name="success",
        policy="proactive",
        family="tutoring",
        mean=0.67,
        low=0.3,
        high=0.9,
        n=6,
        edges=(0.0, 0.5, 1.0),
        counts=(2, 4),
    ),
    RewardSummary(
        name="success",
        policy="reactive",
        family="tutoring",
        mean=0.33,
        low=0.1,
        high=0.7,
        n=6,
        edges=(0.0, 0.5, 1.0),
        counts=(4, 2),
    ),
    RewardSummary(
        name="success", policy="proactive", family="conversation", mean=None, none_reasons={"no_verifier": 6}
    ),
    RewardSummary(
        name="information_gain",
        policy="proactive",
        family="tutoring",
        mean=0.42,
        low=0.31,
        high=0.55,
        n=6,
        edges=(0.0, 0.25, 0.5, 0.75, 1.0),
        counts=(1, 3, 2, 0),
    ),
)
