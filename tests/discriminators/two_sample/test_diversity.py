import numpy as np
import pytest
from user_points import none, users

from discriminators.two_sample.diversity import phrase_overlap, vendi, vendi_ratio
from discriminators.two_sample.points import Points
from discriminators.two_sample.wording import wording


def unit(points: Points) -> Points:
    return points._replace(features=points.features / np.linalg.norm(points.features, axis=1, keepdims=True))


def numbered(points: Points, texts: int) -> Points:
    return points._replace(features=np.arange(len(points.given)) % texts)


def test_as_many_orthogonal_turns_as_there_are_count_as_that_many_and_copies_as_one():
    assert vendi(np.eye(7)) == pytest.approx(7)
    assert vendi(np.ones((7, 1))) == pytest.approx(1)


def test_users_like_real_ones_are_as_varied_and_collapsed_ones_are_not():
    real, alike = unit(users(0, groups=120)), unit(users(1, groups=120))
    found, collapsed = (
        vendi_ratio(real, alike, 0),
        vendi_ratio(real, alike._replace(features=alike.features[:1] + 0 * alike.features), 0),
    )
    assert found.value is not None and found.floor is not None and collapsed.value is not None
    assert found.floor.low <= found.value.value <= found.floor.high
    assert collapsed.value.high < found.floor.low


def test_the_same_sentence_again_and_again_is_an_alarm():
    sides = users(0, groups=120), users(1, groups=120)
    fresh = [f"this is sentence{n} about thing{n} here" for n in range(480)]
    again = [*fresh[:240], *["i would love to know more"] * 240]
    real = numbered(sides[0], 480)
    repeated = sides[1]._replace(features=240 + np.arange(480) % 240)
    found = phrase_overlap(real._replace(features=np.arange(480) % 240), repeated, again, 0)
    assert found.value is not None and found.floor is not None
    assert found.value.low > found.floor.high
    assert phrase_overlap(real, numbered(sides[1], 480), fresh, 0).value is not None


def test_too_few_dialogues_have_no_diversity_and_a_reason():
    assert vendi_ratio(unit(users(0)), none(), 0).reason == "no_turns"
    assert phrase_overlap(users(0), users(1, groups=3), [], 0).reason == "too_few_groups"


@pytest.mark.parametrize("texts", [["😀", "😀😀", "🎉"], ["a"], ["word " * 20_000, "hi"], ["hello there"] * 5])
def test_wording_of_odd_texts_is_finite(texts: list[str]):
    found = wording(texts)
    assert found.shape == (len(texts), 100)
    assert np.isfinite(found).all()
