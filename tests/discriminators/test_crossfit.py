import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache

import numpy as np
import pytest
from talks import hashed_embed, said
from two_sides import ALL, REAL, SYNTHETIC

from discriminators.crossfit import bounded, cross_fit
from discriminators.embedding import RememberedEmbed
from discriminators.ngram import NgramLogistic
from discriminators.user_turns import Sample
from schemas.contracts import Discriminator, EmbedTexts, Turns
from schemas.judgement import UserTurn


class Memory(Discriminator):
    """Knows the dialogues it was fitted on, and says so."""

    def fit(self, real: Sequence[Turns], synthetic: Sequence[Turns], embed: EmbedTexts, seed: int) -> "Recall":
        return Recall({_texts(turns) for turns in (*real, *synthetic)})

    def restore(self, arrays: Mapping[str, np.ndarray], embed: EmbedTexts) -> "Recall":
        return Recall({tuple(texts) for texts in arrays["seen"].tolist()})


class Recall:
    def __init__(self, seen: set[tuple[str, ...]]):
        self.seen = seen

    def scores(self, dialogues: Iterable[Turns]) -> Iterator[float]:
        return (100.0 if _texts(turns) in self.seen else 0.0 for turns in dialogues)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"seen": np.array(sorted(self.seen))}


def _texts(turns: Turns) -> tuple[str, ...]:
    return tuple(turn.text for turn in turns)


def test_no_dialogue_is_scored_by_a_classifier_that_saw_its_group():
    fitted = cross_fit({"memory": Memory()}, REAL, SYNTHETIC, hashed_embed, seed=0)
    for sample in SYNTHETIC:
        seen = fitted.fitted["memory"][fitted.fold(sample.group)].seen  # pyright: ignore[reportAttributeAccessIssue]
        assert not seen & {_texts(s.turns) for s in SYNTHETIC if s.group == sample.group}


def test_what_reads_like_a_model_gets_low_odds_of_being_real():
    scores = list(cross_fit(ALL, REAL, SYNTHETIC, hashed_embed, seed=0).scores(SYNTHETIC))
    assert all(set(s.scores) == set(ALL) for s in scores)
    assert max(s.combined for s in scores if s.combined is not None) < 0


def test_a_dialogue_that_was_not_in_the_sample_is_scored_too():
    unseen = [said("new", "haha yeah idk", "maybe?")]
    assert [s.reason for s in cross_fit(ALL, REAL, SYNTHETIC, hashed_embed, seed=0).scores(unseen)] == [None]


def test_one_discriminator_that_learns_nothing_does_not_dilute_another():
    useless = {"memory": Memory(), "ngram": NgramLogistic()}
    alone = list(cross_fit({"ngram": NgramLogistic()}, REAL, SYNTHETIC, hashed_embed, seed=0).scores(SYNTHETIC))
    both = list(cross_fit(useless, REAL, SYNTHETIC, hashed_embed, seed=0).scores(SYNTHETIC))
    assert np.mean([s.combined for s in both]) < 0.9 * np.mean([s.combined for s in alone])


def test_the_same_seed_gives_the_same_scores():
    twice = [list(cross_fit(ALL, REAL, SYNTHETIC, hashed_embed, seed=3).scores(SYNTHETIC)) for _ in range(2)]
    assert twice[0] == twice[1]


def test_a_side_with_one_group_has_no_scores_and_says_why():
    scores = list(cross_fit(ALL, REAL, SYNTHETIC[:2], hashed_embed, seed=0).scores(SYNTHETIC[:2]))
    assert [(s.combined, s.reason) for s in scores] == [(None, "too_few_to_fit")] * 2


def test_two_dialogues_a_side_are_enough_to_be_scored():
    scores = list(cross_fit(ALL, REAL[:2], SYNTHETIC[1:3], hashed_embed, seed=0).scores(SYNTHETIC[1:3]))
    assert all(s.combined is not None for s in scores)


def test_without_a_discriminator_realism_is_missing_with_a_reason():
    assert [s.reason for s in cross_fit({}, REAL, SYNTHETIC, hashed_embed, seed=0).scores(SYNTHETIC[:1])] == [
        "no_discriminator"
    ]


def test_a_bounded_sample_takes_whole_groups():
    kept = bounded(SYNTHETIC, 7, seed=0)
    assert len(kept) == 6
    assert all(sum(s.group == k.group for s in kept) == 2 for k in kept)


def test_sides_that_answer_nothing_alike_have_no_scores_and_say_why():
    asked = [said(s.group, *(turn.text for turn in s.turns), prompt="Which day?") for s in SYNTHETIC]
    scores = list(cross_fit(ALL, REAL, asked, hashed_embed, seed=0).scores(asked))
    assert {(s.combined, s.reason) for s in scores} == {(None, "no_common_act")}


@pytest.mark.parametrize("name", ALL)
def test_what_the_assistant_does_tells_no_side_apart(name: str):
    """Users say the same given the act; only the acts differ, and with them what is said."""
    generator = np.random.default_rng(0)

    def side(prefix: str, asked: float) -> list[Sample]:
        return [_answering(f"{prefix}{i}", generator.random(4) < asked, generator) for i in range(150)]

    reactive, proactive = side("r", 0.2), side("s", 0.8)
    scores = [s.combined for s in cross_fit({name: ALL[name]}, reactive, proactive, hashed_embed, 0).scores(proactive)]
    assert abs(np.mean([s for s in scores if s is not None])) < 0.25


def _answering(group: str, asked: np.ndarray, generator: np.random.Generator) -> Sample:
    def turn(question: bool) -> UserTurn:
        words = ("yes", "no", "on friday", "two of them") if question else ("i see", "wow great", "what else?", "ok")
        return _answer("Which day?" if question else "It is open.", str(generator.choice(words)))

    return Sample(group, tuple(turn(bool(question)) for question in asked))


@cache
def _answer(prompt: str, text: str) -> UserTurn:
    return said("g", text, prompt=prompt).turns[0]


@pytest.mark.parametrize("name", ALL)
def test_silent_users_say_nothing_about_themselves(name: str):
    silent = Sample("silent", ())
    fitted = cross_fit({name: ALL[name]}, [*REAL, silent], SYNTHETIC, hashed_embed, seed=0).fitted[name][0]
    assert next(iter(fitted.scores([(), SYNTHETIC[0].turns]))) == 0.0


def test_an_embedder_is_asked_for_a_text_once_until_the_memory_is_full():
    asked: list[str] = []

    def embed(texts: Sequence[str]) -> np.ndarray:
        asked.extend(texts)
        return hashed_embed(texts)

    remembered = RememberedEmbed(embed, capacity=2)
    assert np.allclose(remembered(["a", "b", "a", "c"]), hashed_embed(["a", "b", "a", "c"]))
    remembered(["b", "c"])
    assert asked == ["a", "b", "c", "c"]


def test_discriminators_survive_pickle_and_json():
    for stage in ALL.values():
        assert pickle.loads(pickle.dumps(stage)) == stage
        assert type(stage).model_validate_json(stage.model_dump_json()) == stage
