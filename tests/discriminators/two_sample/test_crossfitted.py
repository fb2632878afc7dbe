import pytest
from talks import hashed_embed, said

from discriminators.head_logistic import HeadLogistic
from discriminators.ngram import NgramLogistic
from discriminators.two_sample.crossfitted import classifier_test, halves, real_floor
from discriminators.user_turns import Sample

REAL = [said(f"r{i}", f"haha yeah number {i}", "idk maybe?") for i in range(60)]
SYNTHETIC = [said(f"s{i}", f"That is a delightful thought about {i}", "I certainly agree") for i in range(60)]


def test_different_wording_is_told_apart():
    found = classifier_test(NgramLogistic(), REAL, SYNTHETIC, hashed_embed, seed=0)
    assert found.auc is not None
    assert found.accuracy is not None
    assert found.auc.low > 0.95
    assert found.accuracy.value > 0.95


def test_the_same_wording_cannot_be_told_apart():
    floor = real_floor(NgramLogistic(), REAL, 30, hashed_embed, seed=0)
    assert floor.auc is not None
    assert floor.auc.low < 0.5 < floor.auc.high
    assert (floor.n_real, floor.n_synthetic) == (30, 30)


@pytest.mark.parametrize("n", [2, 3])
def test_a_handful_of_dialogues_gets_a_huge_interval(n: int):
    found = classifier_test(HeadLogistic(), REAL[:n], SYNTHETIC[:n], hashed_embed, seed=0)
    assert found.auc is not None
    assert found.auc.high - found.auc.low > 0.4


@pytest.mark.parametrize(("real", "synthetic"), [(REAL[:1], SYNTHETIC), (REAL, SYNTHETIC[:1]), ([], [])])
def test_a_single_group_cannot_be_tested_and_says_so(real: list[Sample], synthetic: list[Sample]):
    found = classifier_test(NgramLogistic(), real, synthetic, hashed_embed, seed=0)
    assert (found.auc, found.accuracy, found.reason) == (None, None, "too_few_to_fit")


def test_copies_inside_a_group_do_not_narrow_the_interval():
    copies = [s for s in REAL[:10] for _ in range(6)]
    other = [s._replace(group=f"x{s.group}") for s in REAL[30:40] for _ in range(6)]
    found = classifier_test(HeadLogistic(), copies, other, hashed_embed, seed=0)
    assert found.auc is not None
    assert found.auc.n == 10
    assert found.auc.high - found.auc.low > 0.3


def test_halves_share_no_group():
    first, second = halves([said(f"g{i // 3}", str(i)) for i in range(30)], 12, seed=0)
    assert not {s.group for s in first} & {s.group for s in second}
    assert (len(first), len(second)) == (12, 12)


def test_the_same_seed_gives_the_same_figures():
    twice = [classifier_test(HeadLogistic(), REAL, SYNTHETIC, hashed_embed, seed=5) for _ in range(2)]
    assert twice[0] == twice[1]
