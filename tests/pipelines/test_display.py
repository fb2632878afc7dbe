"""What a person sees while a run goes on, and at its end."""

import io
from pathlib import Path
from typing import Any

from manifest_samples import full_manifest
from rich.console import Console

from outputs.spent import EndpointUse, Spent, Tokens
from pipelines.display import ENDPOINTS_EVERY_S, Display, summary
from pipelines.pool import Counts
from pipelines.recipe import Recipe
from pipelines.rundir import RunDir

BUSY, IDLE = "http://10.0.0.7:8000/v1", "http://[::1]:8000/v1"
RUN = RunDir(Path("runs/small"))
RECIPE = Recipe.model_validate(
    {"name": "small", "target": 8, "families": [{"use": "generators.families.tutoring.Tutoring"}]}
)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def counts(tokens: int = 0, **busy: Any) -> Counts:
    told = {"in_flight": 12, "limit": 64, "waiting": 3, "prompt_tokens": 1000, "cached_tokens": 630, "aside": None}
    idle = {"in_flight": 0, "limit": 8, "waiting": 0, "aside": None}
    return Counts(
        dialogues=2, valid=2, turns=9, endpoints={BUSY: {**told, "completion_tokens": tokens, **busy}, IDLE: idle}
    )


def lines(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def test_elsewhere_than_on_a_terminal_each_endpoint_has_a_line_every_half_minute():
    console, clock = Console(file=io.StringIO(), width=60), Clock()
    with Display(RECIPE, console, clock) as display:
        display.round(0, 8, 0)
        for second in range(1, 65):
            clock.now = second
            display.counts(counts(tokens=100 * second, faults={"rate_limit": 2, "timeout": 1}))
    told = [line for line in lines(console) if "in flight" in line]
    assert all(line.startswith("round 1: ") for line in lines(console))
    assert len(told) == 2 * int(64 / ENDPOINTS_EVERY_S)
    assert (
        told[0] == "round 1: 10.0.0.7:8000: 12 in flight of 64, 3 waiting, 100 tokens/s, "
        "63% of prompts cached, 2 rate limit, 1 timeout"
    )
    assert told[1].startswith("round 1: [::1]:8000: 0 in flight of 8, 0 waiting, 0 tokens/s, - of prompts cached")


def test_an_endpoint_that_is_set_aside_is_told_at_once_and_when_it_is_back():
    console = Console(file=io.StringIO(), width=60)
    with Display(RECIPE, console, Clock()) as display:
        display.round(0, 8, 0)
        for told in ({}, {"aside": "nobody listens [there]", "set_aside": 1}, {"set_aside": 1}):
            display.counts(counts(**told))
    assert [line for line in lines(console) if "10.0.0.7" in line] == [
        "round 1: 10.0.0.7:8000 is set aside: nobody listens [there]",
        "round 1: 10.0.0.7:8000 is back",
    ]


def test_on_a_terminal_a_table_shows_every_endpoint():
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    clock = Clock()
    with Display(RECIPE, console, clock) as display:
        display.round(0, 8, 0)
        display.counts(counts(tokens=0))
        clock.now = 2.0
        display.counts(counts(tokens=500, aside="no connection", faults={"timeout": 3}))
    rows = [" ".join(line.split()) for line in lines(console) if "10.0.0.7:8000 " in line and " 64 " in line]
    assert rows[-1] == "10.0.0.7:8000 12 64 3 250 63% set aside: no connection (3 timeout)"
    assert any("in flight" in line and "tokens/s" in line and "faults" in line for line in lines(console))


def test_more_endpoints_than_fit_are_cut_to_the_busiest_and_those_set_aside():
    many = {f"http://10.0.1.{n}:8000/v1": {"in_flight": n, "limit": 64, "aside": None} for n in range(100)}
    many["http://10.0.1.0:8000/v1"]["aside"] = "stalled"
    console = Console(file=io.StringIO(), width=120, force_terminal=True, color_system=None)
    clock = Clock()
    with Display(RECIPE, console, clock) as display:
        display.round(0, 8, 0)
        clock.now = 1.0
        display.counts(Counts(endpoints=many))
    text = "\n".join(lines(console))
    assert "and 84 more" in text and "10.0.1.99:8000" in text and "set aside: stalled" in text
    assert "10.0.1.50:8000" not in text


def shown_summary(spent: Spent) -> str:
    console = Console(file=io.StringIO(), width=120)
    summary(RUN, full_manifest(published={}, spent=spent), {}, 1, console)
    return "\n".join(lines(console))


def test_the_summary_tells_tokens_faults_and_cost():
    spent = Spent(
        tokens=Tokens(prompt=48_210, cached=30_132, completion=5_311, calls=80, cost=0.25),
        tokens_an_accepted=2230.04,
        cost_an_accepted=0.0104,
        endpoints={BUSY: EndpointUse(faults={"timeout": 3, "not_found": 1}, retries=3, set_aside=2)},
    )
    text = shown_summary(spent)
    assert "48,210 read (63% cached), 5,311 written; 2,230 an accepted dialogue" in text
    assert "1 not found, 3 timeout; asked again 3 times; set aside 2 times" in text
    assert "0.25; 0.0104 an accepted dialogue" in text


def test_the_summary_is_silent_of_faults_and_cost_where_there_are_none():
    text = shown_summary(Spent(tokens=Tokens(prompt=10, completion=5, calls=2)))
    assert "10 read (0% cached), 5 written" in text
    assert "faults" not in text and "cost" not in text
