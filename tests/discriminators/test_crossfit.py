import pickle
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from talks import hashed_embed

from discriminators.crossfit import Sample, bounded, cross_fit
from discriminators.embedding import EmbeddingLogistic, RememberedEmbed, mean_embeddings
from discriminators.head_logistic import HeadLogistic
from discriminators.ngram import NgramLogistic
from schemas.contracts import Discriminator, EmbedTexts, Texts

ALL = {"ngram": NgramLogistic(), "embedding": EmbeddingLogistic(), "heads": HeadLogistic()}
REAL = [Sample(f"r{i}", (f"haha yeah number {i}", "idk maybe?")) for i in range(20)]
SYNTHETIC = [Sample(f"s{i // 2}", (f"That is a delightful thought about {i}", "I certainly agree")) for i in range(20)]


class Memory(Discriminator):
    """Knows the dialogues it was fitted on, and says so."""

    def fit(self, real: Sequence[Texts], synthetic: Sequence[Texts], embed: EmbedTexts, seed: int) -> "Recall":
        return Recall({tuple(texts) for texts in (*real, *synthetic)})


class Recall:
    def __init__(self, seen: set[tuple[str, ...]]):
        self.seen = seen

    def scores(self, dialogues: Iterable[Texts]) -> Iterator[float]:
        return (100.0 if tuple(texts) in self.seen else 0.0 for texts in dialogues)


def test_no_dialogue_is_scored_by_a_classifier_that_saw_its_group():
    fitted = cross_fit({"memory": Memory()}, REAL, SYNTHETIC, hashed_embed, seed=0)
    for sample in SYNTHETIC:
        seen = fitted.fitted["memory"][fitted.fold(sample.group)].seen  # pyright: ignore[reportAttributeAccessIssue]
        assert not seen & {s.texts for s in SYNTHETIC if s.group == sample.group}


def test_what_reads_like_a_model_gets_low_odds_of_being_real():
    scores = list(cross_fit(ALL, REAL, SYNTHETIC, hashed_embed, seed=0).scores(SYNTHETIC))
    assert all(set(s.scores) == set(ALL) for s in scores)
    assert max(s.combined for s in scores if s.combined is not None) < 0


def test_a_dialogue_that_was_not_in_the_sample_is_scored_too():
    unseen = [Sample("new", ("haha yeah idk", "maybe?"))]
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


def test_the_number_of_turns_leaves_no_trace_in_mean_embeddings():
    one, three = mean_embeddings([["a b"], ["a b", "a b", "a b"]], hashed_embed)
    assert np.allclose(one, three)


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
