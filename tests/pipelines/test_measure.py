from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from talks import hashed_embed, talk

from generators.latents.hand_labels import hand_labels
from outputs.manifest import LABEL_DISTANCES
from pipelines.intent_shares import OTHER, Spoken, intent_marginals, spoken
from pipelines.measure import Gathered, gather, realism
from pipelines.reference import Reference
from schemas.dialogue import Dialogue, Turn
from schemas.judgement import Selection
from schemas.record import Record

HAND = "persuasion_for_good"
Row = dict[str, object]


def text_of(intent: str, number: int) -> str:
    """Of five messages that share something, one reads like an answer."""
    return f"{'answer' if intent == 'share' and number % 5 == 0 else intent} that is how it is"


def row(name: str, split: str, turns: Sequence[tuple[str, str]]) -> Row:
    said = [{"role": role, "text": text} for role, text in turns]
    return {"dialogue_id": name, "group_id": name, "split": split, "rank": 0, "turns": said}


def by_hand() -> Iterator[Row]:
    """Dialogues whose messages are what the hand labels say."""
    said: dict[tuple[str, str], dict[int, str]] = defaultdict(dict)
    for number, label in enumerate(hand_labels()):
        if label.reference == HAND:
            said[label.dialogue_id, label.part][label.turn] = text_of(label.first, number)
    for (name, part), texts in said.items():
        turns = [
            ("partner", texts[n]) if n in texts else ("learner", f"Tell me more, part {n}.")
            for n in range(max(texts) + 1)
        ]
        yield row(name, {"train": "fit", "dev": "dev"}[part], turns)


def held_out(count: int, share: float) -> Iterator[Row]:
    """Real people of whom `share` share something and the others answer."""
    for n in range(count):
        intent = "share" if n < share * count else "answer"
        yield row(f"test{n}", "test", [("learner", "Tell me more."), ("partner", text_of(intent, n))])


def reference(folder: Path, rows: Iterable[Row]) -> Reference:
    pq.write_table(pa.Table.from_pylist(list(rows)), folder / "reference.parquet")
    return Reference("toy", folder / "reference.parquet", 1, {"fit": 0, "dev": 0, "test": 0}, None)


def said(number: int, intent: str, requested: str = "share", prompt: str = "Tell me more.") -> Dialogue:
    turns = (
        Turn(role="assistant", text=prompt),
        Turn(role="user", text=text_of(intent, number), intent_requested=requested),
    )
    return talk(*turns, name=f"made{number}")


def messages(dialogues: Iterable[Dialogue]) -> list[Spoken]:
    return [message for dialogue in dialogues for message in spoken(dialogue)]


def test_the_errors_of_the_tagger_are_taken_out_of_the_shares_of_both_sides(tmp_path: Path):
    real = reference(tmp_path, [*by_hand(), *held_out(100, 0.5)])
    published = messages(said(n, "share" if n < 80 else "answer") for n in range(100))
    found = {m.label: m for m in intent_marginals("f", real.dialogues("test"), published, real, hashed_embed, seed=3)}
    share, answer = found["share"], found["answer"]
    assert (share.real, share.synthetic_after) == (pytest.approx(0.4), pytest.approx(0.64))
    for side, truth in ((share.real_corrected, 0.5), (share.after_corrected, 0.8)):
        assert side is not None
        assert side.value == pytest.approx(truth, abs=0.04)
        assert side.low <= truth <= side.high
    assert answer.after_corrected is not None
    assert answer.after_corrected.value < (answer.synthetic_after or 0)
    assert (share.requested, answer.requested, share.synthetic_before) == (1.0, 0.0, None)
    assert "890 hand labels" in share.note
    assert not share.matched


def test_real_users_are_corrected_as_if_their_assistants_had_acted_like_the_published_ones(tmp_path: Path):
    offered = [row(f"o{n}", "test", [("learner", "Deal?"), ("partner", text_of("answer", n))]) for n in range(100)]
    real = reference(tmp_path, [*by_hand(), *held_out(100, 0.5), *offered])
    published = messages(said(n, "answer", prompt="Tell me more." if n < 80 else "Deal?") for n in range(100))
    found = {m.label: m for m in intent_marginals("f", real.dialogues("test"), published, real, hashed_embed, seed=3)}
    assert found["share"].real == pytest.approx(0.8 * 0.4)
    corrected = found["share"].real_corrected
    assert corrected is not None
    assert corrected.value == pytest.approx(0.8 * 0.5, abs=0.06)


def test_rare_intents_are_counted_together_and_a_reference_without_hand_labels_has_none(tmp_path: Path):
    real = reference(tmp_path, [*by_hand(), *held_out(40, 0.5)])
    published = messages(said(n, "repair" if n < 20 else "share") for n in range(40))
    found = {m.label for m in intent_marginals("f", real.dialogues("test"), published, real, hashed_embed, seed=3)}
    assert OTHER in found
    assert "repair" not in found
    bare = reference(tmp_path, held_out(40, 0.5))
    assert intent_marginals("f", bare.dialogues("test"), published, bare, hashed_embed, seed=3) == []


def test_a_few_hand_labels_or_dialogues_cut_before_them_say_nothing(tmp_path: Path):
    published = messages(said(n, "share") for n in range(40))
    few = list(by_hand())[:2]
    cut = [{**one, "turns": []} for one in by_hand()]
    for rows in (few, cut):
        real = reference(tmp_path, [*rows, *held_out(40, 0.5)])
        assert intent_marginals("f", real.dialogues("test"), published, real, hashed_embed, seed=3) == []


def records(kept: int, made: int) -> list[Record]:
    """Of `made` dialogues the first `kept` are published; the dropped ones ask where real users tell."""
    texts = ["I would like a red one, please." if n < kept else "why is that?" for n in range(made)]
    dialogues = [talk(("assistant", "Which one?"), ("user", t), name=f"made{n}") for n, t in enumerate(texts)]
    return [
        Record(
            dialogue=d, labels={}, selection=Selection(keep=n < kept, reason="ok" if n < kept else "over_represented")
        )
        for n, d in enumerate(dialogues)
    ]


def test_each_label_is_told_before_and_after_with_its_interval_and_what_real_samples_give(tmp_path: Path):
    people = [
        row(f"test{n}", "test", [("learner", "Which one?"), ("partner", f"I would like {n % 7} of them.")])
        for n in range(60)
    ]
    found: Gathered = gather(records(30, 50))["test"]
    measures, heads = realism([], "test", 1, found, reference(tmp_path, people), hashed_embed)
    asks = next(h for h in heads if (h.head, h.label) == ("question", "asks"))
    assert (asks.real, asks.synthetic_before, asks.synthetic_after) == (0.0, pytest.approx(0.4), 0.0)
    assert (asks.n_real, asks.n_before, asks.n_after) == (60, 50, 30)
    assert asks.before_low is not None
    assert asks.before_high is not None
    assert 0.2 < asks.before_low < 0.4 < asks.before_high < 0.6
    assert asks.floor_high is not None
    assert asks.floor_low == 0.0
    assert 0.0 < asks.floor_high < 0.2
    distance = next(m for m in measures if m.name == "question")
    assert distance.group == LABEL_DISTANCES
    assert distance.before is not None
    assert (distance.before.value, distance.value) == (pytest.approx(0.4), pytest.approx(0.0))
    assert distance.floor_high == 0.0
