"""`overture check`: what each endpoint of a recipe can do, and how fast it is.

Every endpoint is looked at by itself, so one that fails hides no other. All at once, but for the speed: endpoints may
share a machine.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from inference.client import Connections, HttpChatModel
from inference.endpoint import Endpoint, served_names
from inference.faults import Fault, error_message, sort
from inference.probes import probe_structured_output
from inference.remote import RemoteServers
from inference.server_metrics import parse_metrics
from inference.transport import Patience
from pipelines.display import Display, teller
from pipelines.engines import EMBEDDER, Server, embedder_server, model_server
from pipelines.recipe import Recipe, load
from pipelines.watching import shown
from schemas.chat import CallKey, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import NoStructuredOutput, OvertureError, ServerError

PATIENCE = Patience(faults_s=5.0, connect_s=3.0, first_byte_s=25.0, answer_s=25.0)
EXAMINED_S = 20.0
"""All but the speed takes at most so long."""
SPEED_S = 3.0
"""No level begins later; the last one lasts as long as its answers take."""
LEVEL_S = 0.3
"""A level lasts at least as long, and until each of its requests was answered."""
MOST_AT_ONCE = 64
GROWS = 1.15
"""A level that gives less than this much more than the last one is the last."""
NEAR = 0.9
"""The knee is the smallest level within this share of the best."""
SPEED_TOKENS = 24
HEAD = "The harbour opens at six and the first boats leave before the fog has lifted from the quay. " * 14
"""What two requests share: some 250 tokens, more than any server's smallest cached part."""
WIDTH = 160
"""Of the table in a file or a pipe."""
_TABLE_COLUMNS = ("endpoint", "model", "reachable", "context", "JSON schema", "prefix cache", "tokens/s", "at the knee")
_MALFORMED = (KeyError, IndexError, TypeError, AttributeError, ValueError)


@dataclass(frozen=True, slots=True)
class Level:
    """So many requests at once, and what came of it."""

    at_once: int
    tokens_s: float


@dataclass(slots=True)
class Finding:
    """One row: what is known of one endpoint. None: not found out."""

    endpoint: str
    model: str
    name: str
    """Of the model in the recipe."""
    reachable: bool = False
    context: int | None = None
    """Tokens, prompt and answer together."""
    structured: bool | None = None
    cached: str | None = None
    """What prefix caching saved, in words; None: no sign of it."""
    embeds: int | None = None
    """Dimensions, of an embedder."""
    levels: list[Level] = field(default_factory=list[Level])
    problem: str = ""
    """Why it cannot be used, and the remedy."""
    advice: list[str] = field(default_factory=list[str])
    """What works, but could do better."""


def check(recipe: Path, sets: Sequence[str], quick: bool = False) -> int:
    """Prints the table; code 4 when a model has no endpoint that can be used."""
    wanted = load(recipe, sets)
    progress = Console(stderr=True)
    with ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        with Display(wanted, progress) as display:
            servers, findings = _entered(wanted, logs, display, stack)
        say = teller("checking", progress, stack)
        findings += asyncio.run(examine(servers, say, quick))
    _print(findings, Console(width=None if sys.stdout.isatty() else WIDTH))
    unusable = _unusable(findings)
    if unusable:
        raise ServerError(f"no endpoint that can be used for {' and '.join(unusable)}; the lines above say what to do")
    return 0


def _entered(
    wanted: Recipe, logs: Path, display: Display, stack: ExitStack
) -> tuple[dict[str, tuple[EndpointSpec, ...]], list[Finding]]:
    """The endpoints of each model by its name in the recipe; of those that could not be had a finding."""
    found: dict[str, tuple[EndpointSpec, ...]] = {}
    failed: list[Finding] = []
    makers: dict[str, Callable[[], Server]] = {
        name: lambda name=name: model_server(name, wanted.models[name], logs, display)
        for name in sorted(set(wanted.roles.values()))
    }
    makers[EMBEDDER] = lambda: embedder_server(wanted.embedder, logs, display)
    for name, make in makers.items():
        try:
            server = make()
            if not isinstance(server, RemoteServers):  # others are looked at one by one
                display.say(f"starting {name} ...")
                stack.enter_context(server)
            found[name] = server.endpoints
        except OvertureError as error:
            part = wanted.embedder if name == EMBEDDER else wanted.models[name]
            failed.append(Finding(f"({part.use})", str(part.identity["model"]), name, problem=str(error)))
    return found, failed


async def examine(
    models: dict[str, tuple[EndpointSpec, ...]], say: Callable[[str], None], quick: bool
) -> list[Finding]:
    """A finding for each endpoint, in the order given."""
    async with Connections(PATIENCE) as http:
        pairs = [
            (Finding(shown(spec.base_url), spec.model, name), spec) for name, specs in models.items() for spec in specs
        ]
        say(f"asking {len(pairs)} endpoints ...")
        await asyncio.gather(*(_examine_one(http, finding, spec) for finding, spec in pairs))
        for finding, spec in pairs:
            if quick or finding.problem or finding.embeds is not None:
                continue
            try:
                model = http.chat(spec)
                most = min(MOST_AT_ONCE, spec.max_in_flight)
                finding.levels = await measure(lambda n, model=model: _tokens(model, n), most, _telling(say, finding))
            except OvertureError as error:
                finding.problem = _words(error)
    return [finding for finding, _ in pairs]


def _telling(say: Callable[[str], None], finding: Finding) -> Callable[[int], None]:
    return lambda at_once: say(f"{finding.endpoint}: speed at {at_once} requests at once ...")


async def _examine_one(http: Connections, finding: Finding, spec: EndpointSpec) -> None:
    try:
        async with asyncio.timeout(EXAMINED_S):
            await _abilities(http, finding, spec)
    except TimeoutError:
        finding.problem = (
            f"{finding.endpoint}: no answers within {EXAMINED_S:g} s; wait until it is less busy, or see its log"
        )
    except OvertureError as error:
        finding.problem = _words(error)


def _words(error: OvertureError) -> str:
    """Without what is only to be done of a run."""
    return str(error).partition(", then resume")[0]


async def _abilities(http: Connections, finding: Finding, spec: EndpointSpec) -> None:
    """Fills in what there is to find but the speed. Raises what makes the endpoint unusable."""
    endpoint = http.endpoint(spec)
    entry = await _listed(endpoint, spec)
    finding.reachable = True
    if finding.name == EMBEDDER:
        vectors = await http.embedder(spec).embed(["hello"])
        finding.embeds = vectors.shape[1]
        return
    finding.context = await _context(endpoint, entry)
    model = http.chat(spec)
    await model.ask(_request("Say hi.", 8))
    finding.cached = await _prefix_caching(endpoint, model, finding.context)
    if finding.cached is None:
        finding.advice.append(
            f"{finding.endpoint}: no sign of prefix caching, which saves most of each prompt; serve vLLM with "
            "--enable-prefix-caching --enable-prompt-tokens-details"
        )
    try:
        await probe_structured_output(model)
    except NoStructuredOutput:
        finding.structured = False
        raise
    finding.structured = True


async def _listed(endpoint: Endpoint, spec: EndpointSpec) -> dict[str, Any]:
    """What the server tells of the model. Raises ServerError kinds."""
    response = await endpoint.send("GET", "/models")
    if isinstance(response, Fault):
        said = endpoint.clean(response.what)
        raise ServerError(f"{endpoint.shown}: {said}; start the server there, or mend base_url")
    models = f"{endpoint.shown}/models"
    if response.status != 200:
        said = endpoint.clean(f"{models} answers {response.status}: {error_message(response.content)}")
        sort(response, said, models, spec.api_key_env)
        raise ServerError(f"{said}; wait until it is ready, then check again")
    try:
        body = orjson.loads(response.content)
        names = served_names(body)
        entry = next((e for e in body["data"] if spec.model in (e["id"], *e.get("aliases", ()))), None)
    except _MALFORMED:
        raise ServerError(f"{models} is no list of models; give the address of an OpenAI-compatible server") from None
    if entry is None:
        served = ", ".join(f"'{n}'" for n in names) or "none"
        told = f"{endpoint.shown} does not serve '{spec.model}'; it serves: {served}. Set `model` to one of them"
        raise ServerError(told)
    return entry


async def _context(endpoint: Endpoint, entry: dict[str, Any]) -> int | None:
    """vLLM tells it in its list of models, llama.cpp in /props, for one slot."""
    if isinstance(told := entry.get("max_model_len"), int):
        return told
    response = await endpoint.send("GET", "//props")
    if isinstance(response, Fault) or response.status != 200:
        return None
    try:
        return int(orjson.loads(response.content)["default_generation_settings"]["n_ctx"])
    except _MALFORMED:
        return None


async def _prefix_caching(endpoint: Endpoint, model: HttpChatModel, context: int | None) -> str | None:
    """Two requests with one head: what of the second was cached, by the answer itself or by the server's metrics."""
    head = HEAD if context is None or context >= 512 else HEAD[: 2 * context]
    await model.ask(_request(f"{head}\nWhen does it open?", 8))
    before = await _prefix_hits(endpoint)
    second = await model.ask(_request(f"{head}\nWhat leaves first?", 8))
    if second.cached_tokens:
        return f"{second.cached_tokens} of {second.prompt_tokens}"
    after = await _prefix_hits(endpoint)
    if before is None or after is None or after <= before:
        return None
    return f"{after - before} of {second.prompt_tokens}"


async def _prefix_hits(endpoint: Endpoint) -> int | None:
    response = await endpoint.send("GET", "//metrics")
    if isinstance(response, Fault) or response.status != 200:
        return None
    load = parse_metrics(response.content.decode(errors="replace"))
    return None if load is None else load.prefix_hits


def _request(text: str, tokens: int, seed: int = 1) -> ChatRequest:
    sampling = Sampling(max_tokens=tokens)
    return ChatRequest(CallKey(turn=0, step="check"), (Message("user", text),), sampling, seed)


async def _tokens(model: HttpChatModel, number: int) -> int:
    """One request of the measurement; how many tokens it wrote."""
    request = _request(f"Count aloud from {number} to a thousand, in words.", SPEED_TOKENS, seed=number)
    reply = await model.ask(request)
    return reply.completion_tokens


async def measure(
    ask: Callable[[int], Awaitable[int]],
    most: int,
    before: Callable[[int], None] = lambda at_once: None,
    clock: Callable[[], float] = time.monotonic,
) -> list[Level]:
    """Tokens a second with 1, 2, 4, ... requests at once, up to `most`, until more requests bring no more.

    `ask(number)` makes one request, each of another number, and returns the tokens written.
    """
    began = clock()
    levels: list[Level] = []
    numbers = count(1)
    at_once = 1
    while at_once <= most and (not levels or clock() - began < SPEED_S):
        before(at_once)
        level = Level(at_once, await _rate(ask, numbers, at_once, clock))
        grew = not levels or level.tokens_s >= GROWS * levels[-1].tokens_s
        levels.append(level)
        if not grew:
            break
        at_once *= 2
    return levels


async def _rate(
    ask: Callable[[int], Awaitable[int]], numbers: Iterator[int], at_once: int, clock: Callable[[], float]
) -> float:
    """Waves of requests rather than a steady stream: with so few the last answers would be counted by chance."""
    began = clock()
    tokens = 0
    while True:
        tokens += sum(await asyncio.gather(*(ask(next(numbers)) for _ in range(at_once))))
        if clock() - began >= LEVEL_S:
            break
    return tokens / max(clock() - began, 1e-6)


def knee(levels: Sequence[Level]) -> Level:
    """The smallest number at once that gives nearly the most."""
    best = max(level.tokens_s for level in levels)
    return next(level for level in levels if level.tokens_s >= NEAR * best)


def _unusable(findings: Sequence[Finding]) -> list[str]:
    names = dict.fromkeys(f.name for f in findings)
    return [
        name if name == EMBEDDER else f"model '{name}'"
        for name in names
        if all(f.problem for f in findings if f.name == name)
    ]


def _print(findings: Sequence[Finding], console: Console) -> None:
    table = Table(box=None, pad_edge=False)
    for column in _TABLE_COLUMNS:
        table.add_column(column, overflow="fold")
    for finding in findings:
        table.add_row(*map(Text, _cells(finding)))
    console.print(table)
    for finding in findings:
        if finding.problem:
            console.print(
                f"✗ {finding.name}: {finding.problem}", style="red", markup=False, highlight=False, soft_wrap=True
            )
    for advice in dict.fromkeys(a for f in findings for a in f.advice):
        console.print(f"! {advice}", markup=False, highlight=False, soft_wrap=True)


def _cells(finding: Finding) -> list[str]:
    first, best = "-", "-"
    if finding.levels:
        at_knee = knee(finding.levels)
        first, best = f"{finding.levels[0].tokens_s:.0f}", f"{at_knee.tokens_s:.0f} ({at_knee.at_once} at once)"
    asked = finding.structured is not None
    cached = finding.cached or ("not seen" if asked else "-")
    return [
        finding.endpoint,
        finding.model if finding.embeds is None else f"{finding.model} ({finding.embeds} dimensions)",
        "yes" if finding.reachable else "no",
        "-" if finding.context is None else f"{finding.context:,}",
        {True: "yes", None: "-"}.get(finding.structured, "no"),
        cached,
        first,
        best,
    ]
