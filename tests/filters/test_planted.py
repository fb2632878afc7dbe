"""Faults planted in real dialogues: what each filter finds of its own, and what it flags of the rest.

200 dialogues of the test splits: lessons (MathDial: the teacher privately holds the solution) and services (STAR: the
user privately holds the task), so that each has private text of a real other side. Planted:
- a leak: an utterance of the uninformed side (student, wizard) ends in fifteen words in a row of that private text;
- a role flip: user and assistant change places in every turn of a whole dialogue (what the cues cannot be told from
  reading single turns; the phrases were read off the train splits);
- a duplicate: a copy under another id, with a turn left out and every twentieth word replaced.
Repetitions are planted in small talk: people in services repeat set phrases on purpose.
"""

from collections import Counter
from itertools import chain
from random import Random

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from talks import CORPORA, corpus, hashed_embed, needs_corpora, renamed

from discriminators.behaviour_boost import BehaviourBoost
from discriminators.embedding import EmbeddingLogistic
from discriminators.head_logistic import HeadLogistic
from discriminators.ngram import NgramLogistic
from discriminators.two_sample.crossfitted import classifier_test, real_floor
from discriminators.user_turns import Sample
from filters.distribution_match import DistributionMatch
from filters.near_duplicate import NearDuplicate
from filters.private_leak import PrivateLeak
from filters.repetition import Repetition
from filters.role_confusion import RoleConfusion
from filters.schema_and_length import LengthBounds
from pipelines.reference import window
from pipelines.scoring import fit_scorer
from schemas.contracts import Discriminator, Filter
from schemas.dialogue import Dialogue
from schemas.judgement import Judged, Realism
from schemas.scenario import View

pytestmark = needs_corpora

LEAKED_WORDS = 15
OTHER = {"user": "assistant", "assistant": "user"}


def _private(name: str, holder: str, secret: str, public: str | None) -> dict[str, Dialogue]:
    """Dialogues of the test split whose `holder` privately knows `meta[secret]`, by id."""
    rows = pq.read_table(CORPORA / f"{name}.parquet", columns=["dialogue_id", "meta"]).to_pylist()
    meta = {row["dialogue_id"]: orjson.loads(row["meta"]) for row in rows}
    found: dict[str, Dialogue] = {}
    for dialogue in corpus(name, 2000, "test"):
        known = meta[dialogue.id]
        open_text = known[public] if public else ""
        views = {
            role: View(role=role, brief="", public=open_text, private={secret: known[secret]} if role == holder else {})
            for role in ("user", "assistant")
        }
        if len(known.get(secret, "").split()) >= LEAKED_WORDS:
            scenario = dialogue.scenario.model_copy(update={"views": views})
            found[dialogue.id] = dialogue.model_copy(update={"scenario": scenario})
    return found


@pytest.fixture(scope="module")
def planted() -> dict[str, list[Dialogue]]:
    """By what was planted: leak, flip, duplicate (of a clean one), and nothing."""
    lessons = _private("pedagogy__mathdial", "assistant", "ground_truth", "question")
    services = _private("task_oriented__star", "user", "user_task", None)
    dialogues = [*list(lessons.values())[:80], *list(services.values())[:100]]
    rng = Random(7)
    rng.shuffle(dialogues)
    return {
        "leak": [_leaking(d, rng) for d in dialogues[:20]],
        "flip": [_flipped(d) for d in dialogues[20:40]],
        "clean": dialogues[40:],
        "duplicate": [_copied(d, rng) for d in dialogues[40:60]],
    }


def _leaking(dialogue: Dialogue, rng: Random) -> Dialogue:
    ((holder, text),) = ((role, t) for role, view in dialogue.scenario.views.items() for t in view.private.values())
    words = text.split()
    start = rng.randrange(max(1, len(words) - LEAKED_WORDS))
    leak = " ".join(words[start : start + LEAKED_WORDS])
    places = [i for i, turn in enumerate(dialogue.turns) if turn.role == OTHER[holder]]
    place = rng.choice(places[: max(1, len(places) // 2)])
    turns = list(dialogue.turns)
    turns[place] = turns[place].model_copy(update={"text": f"{turns[place].text} {leak}"})
    return dialogue.model_copy(update={"turns": tuple(turns)})


def _flipped(dialogue: Dialogue) -> Dialogue:
    turns = tuple(turn.model_copy(update={"role": OTHER[turn.role]}) for turn in dialogue.turns)
    return dialogue.model_copy(update={"turns": turns})


def _copied(dialogue: Dialogue, rng: Random) -> Dialogue:
    left_out = rng.randrange(len(dialogue.turns))
    turns = tuple(
        turn.model_copy(
            update={"text": " ".join("thing" if rng.random() < 0.05 else w for w in (turn.text or "").split())}
        )
        for i, turn in enumerate(dialogue.turns)
        if i != left_out
    )
    return renamed(dialogue.model_copy(update={"turns": turns}), f"zz-{dialogue.id}")


def _flags(stage: Filter, dialogues: list[Dialogue]) -> float:
    return sum(not stage.judge(dialogue).keep for dialogue in dialogues) / len(dialogues)


def test_the_set_has_two_hundred_dialogues(planted: dict[str, list[Dialogue]]):
    assert {kind: len(dialogues) for kind, dialogues in planted.items()} == {
        "leak": 20,
        "flip": 20,
        "clean": 140,
        "duplicate": 20,
    }


def test_planted_leaks_are_found_and_real_dialogues_are_not_flagged(planted: dict[str, list[Dialogue]]):
    assert _flags(PrivateLeak(), planted["leak"]) >= 0.9
    assert _flags(PrivateLeak(), planted["clean"] + planted["duplicate"]) <= 0.02


def test_planted_role_flips_are_found_and_real_dialogues_are_not_flagged(planted: dict[str, list[Dialogue]]):
    stage = RoleConfusion(swap_margin=3)
    assert _flags(stage, planted["flip"]) >= 0.9
    assert _flags(stage, planted["leak"] + planted["clean"] + planted["duplicate"]) <= 0.02


def test_planted_duplicates_are_found_and_the_rest_is_kept(planted: dict[str, list[Dialogue]]):
    stage = NearDuplicate()
    everything = list(chain.from_iterable(planted.values()))
    rows = [
        {"dialogue_id": d.id, "group_id": d.scenario.group_id, **stage.sketch(Judged(d, Realism(), {}))}
        for d in everything
    ]
    dropped = {i for i, s in stage.select(pa.Table.from_pylist(rows), 200, seed=0).each if not s.keep}
    copies = {d.id for d in planted["duplicate"]}
    assert len(dropped & copies) >= 18
    assert len(dropped - copies) <= 0.02 * 180


def test_form_is_right_in_real_dialogues(planted: dict[str, list[Dialogue]]):
    assert _flags(LengthBounds(), list(chain.from_iterable(planted.values()))) <= 0.02


def test_planted_repetitions_are_found_and_small_talk_is_not_flagged():
    talks = [
        w
        for name in ("open_domain__chitchat", "open_domain__topical_chat")
        for d in corpus(name, 150)
        if (w := window(d, 8))
    ][:200]
    looped = [_said_again(d, i) for i, d in enumerate(talks[:20])]
    assert _flags(Repetition(), looped) >= 0.9
    assert _flags(Repetition(), talks[20:]) <= 0.02


def _said_again(dialogue: Dialogue, number: int) -> Dialogue:
    """Its longest turn said again at the end, by the same speaker or the other; or a phrase of it looped."""
    longest = max(dialogue.turns[:-1], key=lambda t: len((t.text or "").split()))
    words = (longest.text or "").split()
    text = f"{longest.text} {' '.join(words[-3:] * 4)}" if number % 3 == 0 else longest.text
    return dialogue.model_copy(
        update={"turns": (*dialogue.turns[:-1], dialogue.turns[-1].model_copy(update={"text": text}))}
    )


@pytest.fixture(scope="module")
def small_talk() -> list[Dialogue]:
    talks = [w for d in corpus("open_domain__chitchat", 2530) if (w := window(d, 8)) is not None]
    Random(0).shuffle(talks)
    return talks


@pytest.mark.parametrize(("head", "label"), [("question", "none"), ("length", "7-10")])
def test_matching_keeps_exactly_as_many_as_wanted_and_halves_a_skew_of_two_to_one(
    small_talk: list[Dialogue], head: str, label: str
):
    fit, source, unseen = small_talk[:500], small_talk[500:], small_talk[1500:]
    common = sorted(source, key=lambda d: -_share([d], head, label))[: len(source) // 3]
    pool = [*common[:100], *source[:100]]
    scorer = fit_scorer({"heads": HeadLogistic()}, _samples(fit), _samples(pool), hashed_embed, seed=0)
    stage = DistributionMatch()
    judged = scorer.judged(pool)
    rows = [{"dialogue_id": j.dialogue.id, "group_id": j.dialogue.id, **stage.sketch(j)} for j in judged]
    kept_ids = {i for i, s in stage.select(pa.Table.from_pylist(rows), 100, seed=0).each if s.keep}
    kept = [d for d in pool if d.id in kept_ids]
    wanted = _share(unseen, head, label)
    assert len(kept) == 100
    assert abs(_share(kept, head, label) - wanted) <= abs(_share(pool, head, label) - wanted) / 2


def _samples(dialogues: list[Dialogue]) -> list[Sample]:
    return [Sample.of(dialogue) for dialogue in dialogues]


def _share(dialogues: list[Dialogue], head: str, label: str) -> float:
    """Of the users' turns."""
    found = Counter(turn.labels[head] == label for dialogue in dialogues for turn in Sample.of(dialogue).turns)
    return found[True] / max(1, found.total())


@pytest.mark.parametrize("family", [NgramLogistic(), EmbeddingLogistic(), HeadLogistic(), BehaviourBoost()])
def test_real_against_real_cannot_be_told_apart(small_talk: list[Dialogue], family: Discriminator):
    floor = real_floor(family, [Sample.of(d) for d in small_talk[:400]], 200, hashed_embed, seed=0)
    assert floor.auc is not None
    assert floor.auc.low <= 0.5 <= floor.auc.high
    assert floor.auc.n == 200


def test_real_against_word_shuffled_is_told_apart():
    talks = _samples(corpus("open_domain__chitchat", 200))
    rng = Random(0)
    shuffled = [s._replace(turns=tuple(t._replace(text=_shuffled(t.text, rng)) for t in s.turns)) for s in talks[100:]]
    found = classifier_test(NgramLogistic(), talks[:100], shuffled, hashed_embed, seed=0)
    assert found.auc is not None
    assert found.auc.low > 0.9


def _shuffled(text: str, rng: Random) -> str:
    words = text.split()
    return " ".join(rng.sample(words, len(words)))
