import random

import pyarrow as pa
from hypothesis import given
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
        name: s.reason for name, s in selector.select(pa.Table.from_pylist(rows), None, len(rows), seed=0) if not s.keep
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
    assert list(NearDuplicate().select(pa.table({}), None, 5, seed=0)) == []


def test_twenty_thousand_copies_are_compared_with_the_one_that_is_kept():
    sketch = NearDuplicate().sketch(Judged(story(1, "a"), Realism(), {}))["minhash"]
    ids = [f"{i:05d}" for i in range(20_000)]
    table = pa.table({"dialogue_id": ids, "group_id": ids, "minhash": [sketch] * len(ids)})
    assert [name for name, s in NearDuplicate().select(table, None, 1, seed=0) if s.keep] == ["00000"]


@given(st.permutations([0, 1, 2, 3, 4, 5]))
def test_the_order_of_the_rows_changes_nothing(order: list[int]):
    dialogues = [story(i % 3, f"d{i}", changed=i // 2) for i in range(6)]
    assert decided(*(dialogues[i] for i in order)) == decided(*dialogues)
