"""`overture check`: what it finds out of servers that behave and of servers that do not."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from queueing_server import QueueingServer
from scripted_server import ScriptedServer

from pipelines.checking import LEVEL_S, SPEED_S, Finding, Level, check, examine, knee, measure
from pipelines.engines import EMBEDDER
from schemas.chat import EndpointSpec
from schemas.errors import ServerError


def examined(quick: bool = True, **models: tuple[str, ...]) -> list[Finding]:
    """The findings of endpoints that are asked for the model `scripted`."""
    specs = {name: tuple(EndpointSpec(base_url=u, model="scripted") for u in urls) for name, urls in models.items()}
    return asyncio.run(examine(specs, lambda text: None, quick))


def test_a_server_that_can_do_everything_has_no_problem():
    with QueueingServer(max_model_len=4096) as server:
        (found,) = examined(default=(server.base_url,))
    assert found.problem == "" and found.advice == []
    assert found.reachable and found.context == 4096 and found.structured
    cached, prompt = map(int, str(found.cached).split(" of "))
    assert 0.8 * prompt < cached < prompt


def test_a_server_without_a_prefix_cache_is_advised_to_have_one():
    with ScriptedServer() as server:
        (found,) = examined(default=(server.base_url,))
    assert found.problem == "" and found.cached is None
    assert "no sign of prefix caching" in found.advice[0] and "--enable-prefix-caching" in found.advice[0]


def test_a_failing_endpoint_hides_no_other():
    with ScriptedServer() as well, ScriptedServer(model="another") as other, ScriptedServer(api_key="secret") as closed:
        findings = examined(
            default=("http://127.0.0.1:9", well.base_url, other.base_url, closed.base_url), judge=(well.base_url,)
        )
    gone, first, wrong, locked, again = findings
    assert first.problem == again.problem == ""
    assert not gone.reachable and "start the server there, or mend base_url" in gone.problem
    assert "does not serve 'scripted'; it serves: 'another'. Set `model` to one of them" in wrong.problem
    assert "answers 401" in locked.problem and "set api_key_env" in locked.problem


def test_a_server_that_ignores_schemas_is_not_usable():
    with ScriptedServer(ignore_response_format=True) as server:
        (found,) = examined(default=(server.base_url,))
    assert found.reachable and found.structured is False
    assert "does not hold answers to a JSON schema" in found.problem


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_that_answers_only_errors_is_told_in_its_words(status: int):
    with ScriptedServer(status=status, error="out of memory", retry_after=None) as server:
        (found,) = examined(default=(server.base_url,))
    assert "out of memory" in found.problem and str(status) in found.problem


def test_an_embedder_is_asked_for_a_vector():
    with ScriptedServer() as server:
        (found,) = examined(**{EMBEDDER: (server.base_url,)})
    assert found.embeds == 64 and found.problem == "" and found.structured is None


def measured(ask: Callable[[int], Awaitable[int]], most: int, clock: Callable[[], float]) -> list[Level]:
    return asyncio.run(measure(ask, most, clock=clock))


def levels(*speeds: float) -> list[Level]:
    return [Level(2**n, speed) for n, speed in enumerate(speeds)]


def test_the_knee_is_the_smallest_level_near_the_best():
    assert knee(levels(100, 190, 350, 360)) == Level(4, 350)
    assert knee(levels(100, 105)) == Level(1, 100)
    assert knee(levels(100, 200, 150)) == Level(2, 200)
    assert knee(levels(7)) == Level(1, 7)


class Slots:
    """A server that answers so many requests at once, in a tenth of a second, by a clock of its own."""

    def __init__(self, slots: float):
        self._slots = slots
        self._asked = 0
        self._left = 0
        self.now = 0.0

    async def ask(self, number: int) -> int:
        self._asked += 1
        self._left += 1
        await asyncio.sleep(0)  # by now the whole wave is asked
        self._left -= 1
        if self._left == 0:
            self.now += math.ceil(self._asked / self._slots) / 10
            self._asked = 0
        return 1

    def clock(self) -> float:
        return self.now


def test_measuring_stops_where_more_at_once_brings_no_more():
    server = Slots(8)
    found = measured(server.ask, 64, server.clock)
    assert [level.at_once for level in found] == [1, 2, 4, 8, 16]
    assert knee(found).at_once == 8


def test_measuring_keeps_to_the_ceiling_and_to_its_time():
    server = Slots(slots=1e9)
    assert [level.at_once for level in measured(server.ask, 6, server.clock)] == [1, 2, 4]
    assert len(measured(server.ask, 2**30, server.clock)) == SPEED_S / LEVEL_S


def test_the_knee_of_a_server_with_room_for_eight_is_found():
    with QueueingServer(capacity=8, latency_ms=60) as server:
        (found,) = examined(quick=False, default=(server.base_url,))
    assert found.problem == "" and len(found.levels) >= 3
    assert knee(found.levels).tokens_s > 2 * found.levels[0].tokens_s


def recipe(folder: Path, *urls: str, embedder: str) -> Path:
    data: dict[str, Any] = {
        "target": 4,
        "families": [{"use": "generators.families.tutoring.Tutoring"}],
        "models": {"default": {"use": "remote", "base_url": list(urls), "model": "scripted"}},
        "embedder": {"use": "remote", "base_url": embedder, "model": "scripted"},
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_one_usable_endpoint_is_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with ScriptedServer() as server:
        path = recipe(tmp_path, "http://127.0.0.1:9", server.base_url, embedder=server.base_url)
        assert check(path, [], quick=True) == 0
    out = capsys.readouterr().out
    assert out.count("✗ default: http://127.0.0.1:9") == 1 and "start the server there" in out


def test_a_model_without_a_usable_endpoint_is_code_4_after_the_whole_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    with ScriptedServer() as server:
        path = recipe(tmp_path, "http://127.0.0.1:9", embedder=server.base_url)
        with pytest.raises(ServerError, match="no endpoint that can be used for model 'default'") as raised:
            check(path, [], quick=True)
    assert raised.value.exit_code == 4
    out = capsys.readouterr().out
    assert "64 dimensions" in out and "✗ default" in out and "✗ the embedder" not in out


def test_a_server_of_ours_that_cannot_start_hides_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / "broken.gguf").write_bytes(b"no model")
    with ScriptedServer() as server:
        path = recipe(tmp_path, server.base_url, embedder=server.base_url)
        sets = [f"models.own={{use: llama_cpp, weights: {tmp_path / 'broken.gguf'}}}", "roles.teacher=own"]
        with pytest.raises(ServerError, match="model 'own'"):
            check(path, sets, quick=True)
    assert "is not a GGUF file" in capsys.readouterr().out
