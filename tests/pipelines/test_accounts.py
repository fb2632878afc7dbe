"""What a run has asked of its servers, and what that costs."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from outputs.spent import Tokens
from pipelines.accounts import Ledger, cost
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.recipe_models import Price

MORNING, NOON = datetime(2026, 1, 1, 8, tzinfo=UTC), datetime(2026, 1, 1, 12, tzinfo=UTC)


def recipe(**prices: dict[str, float] | None) -> Recipe:
    """Student and teacher, each with a model of its own and perhaps a price."""
    models = {
        role: {"use": "remote", "base_url": "http://127.0.0.1:1", "model": "m", "price": prices.get(role)}
        for role in ("student", "teacher")
    }
    return Recipe.model_validate(
        {
            "name": "small",
            "target": 4,
            "families": [{"use": "generators.families.tutoring.Tutoring"}],
            "models": models,
            "roles": {"student": "student", "teacher": "teacher"},
        }
    )


def counts(calls: int, role: str = "student", **told: Any) -> Counts:
    usage = {"calls": calls, "replayed": 1, "prompt_tokens": 1000 * calls, "cached_tokens": 600 * calls}
    endpoint = {"sent": calls + 3, "answered": calls, "seconds": 0.5 * calls, "in_flight": 2, "limit": 8, **told}
    return Counts(
        usage={role: {**usage, "completion_tokens": 10 * calls}},
        endpoints={"http://a/v1": endpoint},
        peak_mb=70.0 + calls,
        lag_p99_ms=2.0,
    )


def test_a_run_that_was_resumed_is_told_of_whole(tmp_path: Path):
    path = tmp_path / "spent.json"
    first = Ledger(path, MORNING)
    first.note(counts(2), counts(3), now=True)
    first.note(counts(2), counts(4, faults={"timeout": 2}), now=True)  # the same invocation goes on
    second = Ledger(path, NOON)
    second.note(Counts(), counts(5, faults={"timeout": 1, "rate_limit": 1}, set_aside=1), now=True)
    roles, spent = Ledger(path, NOON).spent(recipe(), accepted=11)
    assert roles["student"] == spent.tokens
    assert spent.tokens == Tokens(prompt=11_000, completion=110, cached=6_600, calls=11, replayed=3)
    assert spent.tokens.cached_share == 0.6 and spent.tokens_an_accepted == 1010
    assert spent.invocations == 2 and spent.worker_peak_mb == 75.0
    use = spent.endpoints["http://a/v1"]
    assert (use.sent, use.answered, use.set_aside) == (20, 11, 1)
    assert use.faults == {"rate_limit": 1, "timeout": 3} == spent.faults
    assert use.mean_s == 0.5


def test_a_refusal_is_a_fault_that_is_not_asked_again(tmp_path: Path):
    ledger = Ledger(tmp_path / "spent.json", MORNING)
    ledger.note(counts(1, faults={"not_found": 1, "server_error": 2}), now=True)
    _, spent = ledger.spent(recipe(), accepted=1)
    assert spent.retries == 2 and spent.faults == {"not_found": 1, "server_error": 2}


def test_sums_are_written_once_a_second(tmp_path: Path):
    path, now = tmp_path / "spent.json", [100.0]
    ledger = Ledger(path, MORNING, clock=lambda: now[0])
    written: set[bytes] = set()
    for calls in range(1, 31):  # three seconds
        ledger.note(counts(calls))
        written.add(path.read_bytes())
        now[0] += 0.1
    assert 3 <= len(written) <= 4
    ledger.note(counts(100), now=True)
    assert Ledger(path, NOON).spent(recipe(), accepted=1)[1].tokens.calls == 100


@pytest.mark.parametrize(
    ("price", "expected"),
    [
        (Price(prompt=2.0, completion=8.0), (1000 * 2 + 100 * 8) / 1e6),
        (Price(prompt=2.0, completion=8.0, cached=0.5), (400 * 2 + 600 * 0.5 + 100 * 8) / 1e6),
    ],
)
def test_cached_tokens_have_their_own_price_where_one_is_given(price: Price, expected: float):
    assert cost(Tokens(prompt=1000, cached=600, completion=100), price) == pytest.approx(expected)


def test_a_sum_is_only_told_when_every_model_that_was_asked_has_a_price(tmp_path: Path):
    ledger = Ledger(tmp_path / "spent.json", MORNING)
    ledger.note(counts(1), counts(2, role="teacher"), now=True)
    price = {"prompt": 1.0, "completion": 10.0}
    roles, part = ledger.spent(recipe(student=price), accepted=2)
    assert roles["student"].cost == pytest.approx(0.0011) and roles["teacher"].cost is None
    assert part.tokens.cost is None and part.cost_an_accepted is None
    _, whole = ledger.spent(recipe(student=price, teacher=price), accepted=2)
    assert whole.tokens.cost == pytest.approx(0.0033) and whole.cost_an_accepted == pytest.approx(0.00165)


def test_nothing_accepted_has_no_figure_for_each(tmp_path: Path):
    ledger = Ledger(tmp_path / "spent.json", MORNING)
    ledger.note(counts(1), now=True)
    assert ledger.spent(recipe(), accepted=0)[1].tokens_an_accepted is None


def test_a_file_that_cannot_be_read_stops_no_run(tmp_path: Path):
    (tmp_path / "spent.json").write_text('{"cut')
    ledger = Ledger(tmp_path / "spent.json", MORNING)
    ledger.note(counts(1), now=True)
    assert Ledger(tmp_path / "spent.json", NOON).spent(recipe(), 1)[1].tokens.calls == 1
