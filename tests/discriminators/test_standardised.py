import pytest
from talks import corpus, needs_corpora, said

from discriminators.domains import like_domains
from discriminators.standardised import head_points, standardised
from discriminators.two_sample.heads import head_distance
from discriminators.user_turns import Sample


def answers(name: str, prompt: str, agree: int, ask: int) -> list[Sample]:
    texts = ["yes"] * agree + ["why is that?"] * ask
    return [said(f"{name}{i}", text, prompt=prompt) for i, text in enumerate(texts)]


REAL = [*answers("q", "Which day?", 30, 10), *answers("s", "It is open.", 10, 30)]


def test_real_shares_are_taken_as_if_real_assistants_had_acted_like_synthetic_ones():
    synthetic = [*answers("a", "Which day?", 60, 20), *answers("b", "It is open.", 5, 15)]
    found = standardised(REAL, synthetic, "question")
    assert found.real == pytest.approx({"asks": 0.35, "none": 0.65})
    assert found.synthetic == pytest.approx(found.real)


def test_the_distance_is_given_the_act():
    synthetic = [*answers("a", "Which day?", 60, 20), *answers("b", "It is open.", 5, 15)]
    skewed = [*answers("a", "Which day?", 20, 60), *answers("b", "It is open.", 15, 5)]
    same, far = (head_distance(*head_points(REAL, side, "question"), seed=0) for side in (synthetic, skewed))
    assert same.value is not None
    assert far.value is not None
    assert same.value.value == pytest.approx(0.0)
    assert far.value.value == pytest.approx(0.5)


def test_acts_of_one_side_alone_are_left_out():
    found = standardised(REAL, answers("a", "Which day?", 3, 1), "question")
    assert found.real == pytest.approx({"asks": 0.25, "none": 0.75})
    assert standardised(REAL, [], "question") == ({}, {})


@needs_corpora
def test_flights_are_not_small_talk_and_small_talk_is_like_small_talk():
    talks = [Sample.of(d) for d in corpus("open_domain__topical_chat", 120)]
    services = [Sample.of(d) for d in corpus("task_oriented__sgd", 80)]
    assert like_domains(talks[:80], talks[80:], seed=0)
    assert not like_domains(talks, services, seed=0)
    assert not like_domains([], services, seed=0)
