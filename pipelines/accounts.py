"""What a run has asked of its servers, over all its invocations: `spent.json` of the run directory.

Each invocation keeps its own sums there, written again about once a second: one that is killed loses the last second of
its figures (never an answer: those are journalled). What the journal answers is asked, and paid, only once.
"""

import math
import time
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, get_args

import orjson

from inference.faults import FaultKind
from outputs.files import storage_errors
from outputs.spent import EndpointUse, Spent, Tokens
from pipelines.pool import GAUGES, Counts, add
from pipelines.recipe import Recipe
from pipelines.recipe_models import Price

EVERY_S = 1.0
_PEAKS = ("peak_mb", "lag_p99_ms")


class Ledger:
    """The file at `path`, for the invocation that began at `started`."""

    def __init__(self, path: Path, started: datetime, clock: Callable[[], float] = time.monotonic):
        self._path = path
        self._name = started.isoformat()
        self._invocations: dict[str, dict[str, Any]] = _read(path)
        self._clock = clock
        self._written = -math.inf

    def note(self, *counts: Counts, now: bool = False) -> None:
        """The sums of this invocation: those of the rounds before, and of the present one. `now`: written at once.

        Raises StorageError.
        """
        if not now and self._clock() - self._written < EVERY_S:
            return
        self._written = self._clock()
        self._invocations[self._name] = _summed(counts)
        temporary = self._path.with_name(f"{self._path.name}.tmp")
        with storage_errors(self._path):
            temporary.write_bytes(orjson.dumps(self._invocations, option=orjson.OPT_INDENT_2))
            temporary.replace(self._path)

    def spent(self, recipe: Recipe, accepted: int) -> tuple[dict[str, Tokens], Spent]:
        """By role, and in all; of every invocation that asked for anything."""
        total: dict[str, Any] = {"usage": {}, "labels": {}, "endpoints": {}, **dict.fromkeys(_PEAKS, 0.0)}
        for invocation in self._invocations.values():
            add(total["usage"], invocation["usage"])
            add(total["labels"], invocation.get("labels", {}))
            add(total["endpoints"], invocation["endpoints"])
            total.update({name: max(total[name], invocation[name]) for name in _PEAKS})
        roles = {role: _tokens(usage, _price(recipe, role)) for role, usage in sorted(total["usage"].items())}
        in_all = _in_all(roles)
        return roles, Spent(
            invocations=len(self._invocations),
            tokens=in_all,
            tokens_an_accepted=_each(in_all.prompt + in_all.completion, accepted),
            cost_an_accepted=None if in_all.cost is None else _each(in_all.cost, accepted),
            labels=_labels(total["labels"]),
            endpoints={name: _endpoint(told) for name, told in sorted(total["endpoints"].items())},
            worker_peak_mb=round(total["peak_mb"], 1) or None,
            loop_lag_p99_ms=total["lag_p99_ms"] or None,
        )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    """A file that cannot be read tells nothing: figures are no reason to refuse a run."""
    try:
        return orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return {}


def _summed(counts: tuple[Counts, ...]) -> dict[str, Any]:
    total = Counts()
    for each in counts:
        total.add(each)
    endpoints = {n: {k: v for k, v in told.items() if k not in GAUGES} for n, told in total.endpoints.items()}
    return {
        "usage": total.usage,
        "labels": total.labels,
        "endpoints": endpoints,
        **{name: getattr(total, name) for name in _PEAKS},
    }


def _labels(used: Mapping[str, Mapping[str, float]]) -> dict[str, Tokens]:
    """By what a reward's labels are called."""
    return {name: _tokens(usage, None) for name, usage in sorted(used.items()) if usage["calls"] or usage["replayed"]}


def _price(recipe: Recipe, role: str) -> Price | None:
    model = recipe.roles.get(role)
    return None if model is None else recipe.models[model].price


def _tokens(usage: Mapping[str, float], price: Price | None) -> Tokens:
    counted = Tokens(
        prompt=int(usage.get("prompt_tokens", 0)),
        completion=int(usage.get("completion_tokens", 0)),
        cached=int(usage.get("cached_tokens", 0)),
        calls=int(usage.get("calls", 0)),
        replayed=int(usage.get("replayed", 0)),
        seconds=round(usage.get("seconds", 0.0), 2),
    )
    return counted if price is None else counted.model_copy(update={"cost": cost(counted, price)})


def cost(tokens: Tokens, price: Price) -> float:
    """In the price's currency."""
    cached = price.prompt if price.cached is None else price.cached
    fresh = tokens.prompt - tokens.cached
    return (fresh * price.prompt + tokens.cached * cached + tokens.completion * price.completion) / 1e6


def _in_all(roles: Mapping[str, Tokens]) -> Tokens:
    """Cost only where every role that was asked for anything has a price: a part of it would look like the whole."""
    asked = [t for t in roles.values() if t.calls]
    costs = [t.cost for t in asked if t.cost is not None]
    return Tokens(
        prompt=sum(t.prompt for t in roles.values()),
        completion=sum(t.completion for t in roles.values()),
        cached=sum(t.cached for t in roles.values()),
        calls=sum(t.calls for t in roles.values()),
        replayed=sum(t.replayed for t in roles.values()),
        seconds=round(sum(t.seconds for t in roles.values()), 2),
        cost=sum(costs) if costs and len(costs) == len(asked) else None,
    )


def _endpoint(told: Mapping[str, Any]) -> EndpointUse:
    faults: dict[str, int] = dict(sorted(told.get("faults", {}).items()))
    answered = told.get("answered", 0)
    return EndpointUse(
        sent=told.get("sent", 0),
        answered=answered,
        faults=faults,
        retries=sum(n for kind, n in faults.items() if kind in get_args(FaultKind)),
        cancelled=told.get("cancelled", 0),
        set_aside=told.get("set_aside", 0),
        mean_s=round(told.get("seconds", 0.0) / answered, 4) if answered else None,
    )


def _each(amount: float, accepted: int) -> float | None:
    return amount / accepted if accepted else None
