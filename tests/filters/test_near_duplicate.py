import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from talks import talk

from filters.near_duplicate import NearDuplicate
from schemas.dialogue import Dialogue
from schemas.judgement import Judged, Realism

WORDS = [f"word{i}" for i in range(200)]


def story(seed: int, name: str, group: str | None = None, changed: int = 0) -> Dialogue:
    """Sixty words that differ from seed to seed, the first `changed` of them replaced."""
    words = random.Random(seed).choices(WORDS, k=60)
    words[:changed] = [f"other{i}" for i in range(changed)]
    return talk(("assistant", " ".join(words[:30])), ("user", " ".join(words[30:])), name=name, group=group)


def decided(*dialogues: Dialogue) -> dict[str, str]:
    selector = NearDuplicate()
    rows = [
        {"dialogue_id": d.id, "group_id": d.scenario.group_id, **selector.sketch(Judged(d, Realism(), {}))}
        for d in dialogues
    ]
    return {
        name: s.reason for name, s in selector.select(pa.Table.from_pylist(rows), len(rows), seed=0).each if not s.keep
    }


def test_a_copy_with_a_few_words_changed_is_dropped_and_the_smaller_id_kept():
    assert decided(story(1, "b", changed=4), story(1, "a"), story(2, "c")) == {"b": "near_duplicate"}


def test_a_dialogue_that_shares_half_its_words_is_no_duplicate():
    assert decided(story(1, "a"), story(1, "b", changed=30)) == {}


def test_siblings_are_not_duplicates_of_each_other():
    assert decided(story(1, "a", group="g"), story(1, "b", group="g")) == {}


def test_one_duplicate_costs_the_whole_group():
    twins = (story(1, "a", group="g"), story(2, "b", group="g"), story(1, "c", group="h"), story(3, "d", group="h"))
    assert decided(*twins) == {"c": "near_duplicate", "d": "near_duplicate"}


def test_an_empty_pool_is_decided_without_a_row():
    assert list(NearDuplicate().select(pa.table({}), 5, seed=0).each) == []


def test_twenty_thousand_copies_are_compared_with_the_one_that_is_kept():
    sketch = NearDuplicate().sketch(Judged(story(1, "a"), Realism(), {}))["minhash"]
    ids = [f"{i:05d}" for i in range(20_000)]
    table = pa.table({"dialogue_id": ids, "group_id": ids, "minhash": [sketch] * len(ids)})
    assert [name for name, s in NearDuplicate().select(table, 1, seed=0).each if s.keep] == ["00000"]


@given(st.permutations([0, 1, 2, 3, 4, 5]))
def test_the_order_of_the_rows_changes_nothing(order: list[int]):
    dialogues = [story(i % 3, f"d{i}", changed=i // 2) for i in range(6)]
    assert decided(*(dialogues[i] for i in order)) == decided(*dialogues)


def sketched(rows: Sequence[tuple[str, str, np.ndarray]]) -> pa.Table:
    names, groups, hashes = zip(*rows, strict=True)
    return pa.table(
        {"dialogue_id": names, "group_id": groups, "minhash": [h.astype(np.uint32).tobytes() for h in hashes]}
    )


def by_comparing_all(rows: Sequence[tuple[str, str, np.ndarray]], threshold: float) -> set[str]:
    """What the rule of the file says: groups in the order of their smallest ids, each against all that were kept."""

    def meet(a: np.ndarray, b: np.ndarray) -> bool:
        return bool((a == b).reshape(32, 4).all(axis=1).any())

    groups: dict[str, list[np.ndarray]] = {}
    for _, group, hashes in sorted(rows, key=lambda row: row[0]):
        groups.setdefault(group, []).append(hashes)
    kept: list[np.ndarray] = []
    dropped: set[str] = set()
    for group, members in groups.items():
        met = [old for old in kept if any(meet(old, new) for new in members)]
        if any(np.mean(old == new) >= threshold for old in met for new in members):
            dropped.add(group)
        else:
            kept += members
    return dropped


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.sampled_from([0.3, 0.6, 0.9]), st.integers(2, 30))
def test_it_drops_what_comparing_all_with_all_would_drop(seed: int, threshold: float, count: int):
    """Sketches that are a few originals with a random share of their hashes made anew, in groups of up to four."""
    draws = np.random.default_rng(seed)
    originals = draws.integers(0, 2**32, size=(3, 128))
    rows: list[tuple[str, str, np.ndarray]] = []
    for number in draws.permutation(count):
        anew = draws.random(128) < draws.choice([0.0, 0.2, 0.4, 0.6, 0.9])
        hashes = np.where(anew, draws.integers(0, 2**32, size=128), draws.choice(originals))
        rows.append((f"d{number:02d}", f"g{draws.integers(max(1, count // 2))}", hashes))
    selected = dict(NearDuplicate(threshold=threshold).select(sketched(rows), 1, seed=0).each)
    dropped = {group for name, group, _ in rows if not selected[name].keep}
    assert dropped == by_comparing_all(rows, threshold)
    assert dropped.isdisjoint(group for name, group, _ in rows if selected[name].keep), "whole groups"


def test_a_table_in_pieces_is_decided_as_one():
    rows = [(f"d{n}", f"d{n}", np.arange(128) + 1000 * (n % 3)) for n in range(9)]
    pieces = pa.concat_tables([sketched(rows[6:]), sketched(rows[:4]), sketched(rows[4:6])])
    assert {name for name, s in NearDuplicate().select(pieces, 1, seed=0).each if s.keep} == {"d0", "d1", "d2"}
