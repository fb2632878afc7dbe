"""`overture run` as a person types it, through a Prefect of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
import yaml
from scripted_server import ScriptedProcess

from inference.weights import cache_folder, fetch
from outputs.manifest import read_manifest
from pipelines.environment import QUIET

LIMIT_S = 120


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedProcess]:
    with ScriptedProcess("--reply", "scripted_players:obey") as process:
        yield process


def write_recipe(folder: Path, base_url: str, target: int = 4) -> None:
    model = {"use": "remote", "base_url": base_url, "model": "scripted"}
    families = [{"use": "generators.families.tutoring.Tutoring"}]
    data = {
        "target": target,
        "families": families,
        "models": {"default": model},
        "embedder": {**model},
        "concurrency": 4,
    }
    (folder / "small.yaml").write_text(yaml.safe_dump(data))


def start(folder: Path, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    """In a session of its own, like a terminal's foreground job, and with an empty home."""
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_") and k not in QUIET}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "pipelines.cli", *arguments],
        cwd=folder,
        env={**ours, "HOME": str(folder), "COLUMNS": "200", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def overture(folder: Path, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = start(folder, *arguments, **environment)
    try:
        out, told = process.communicate(timeout=LIMIT_S)
    finally:
        end(process)
    return process.returncode, out, told


def end(process: "subprocess.Popen[str]") -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_a_run_keeps_its_prefect_to_itself_and_a_second_one_says_that_it_is_finished(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    write_recipe(tmp_path, server.base_url)
    code, out, told = overture(tmp_path, "run", "small.yaml")
    assert code == 0, told
    assert "accepted / made" in out and "small: complete" in out
    assert all(line.startswith("round ") for line in told.splitlines()), told
    assert read_manifest(tmp_path / "runs" / "small" / "manifest.json").accepted == 4
    assert (tmp_path / "runs" / "small" / ".prefect" / "prefect.db").is_file()
    assert not (tmp_path / ".prefect").exists()
    assert overture(tmp_path, "run", "small.yaml") == (
        0,
        "runs/small: finished already, 4 dialogues; raise the target to extend it\n",
        "",
    )


def test_ctrl_c_ends_a_run_in_one_line_without_orphans_and_resume_finishes_it(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "40") as slow:
        write_recipe(tmp_path, slow.base_url, target=40)
        process = start(tmp_path, "run", "small.yaml", "--out", "run")
        try:
            while slow.log()["answers"] < 30 and process.poll() is None:
                time.sleep(0.05)
            children = psutil.Process(process.pid).children(recursive=True)
            commands = {" ".join(c.cmdline()): c.environ() for c in children}
            os.killpg(process.pid, signal.SIGINT)
            _, told = process.communicate(timeout=LIMIT_S)
        finally:
            end(process)
        assert process.returncode == 130, told
        assert [x for x in told.splitlines() if not x.startswith("round ")] == [
            "overture: interrupted; nothing answered is lost, the same command goes on where this one stopped"
        ]
        assert any("prefect.server" in c for c in commands) and any("pipelines.worker" in c for c in commands)
        for environment in commands.values():  # analytics are off in every process; Prefect hands its own on as "False"
            assert {k: environment.get(k, "").lower() for k in QUIET} == QUIET
        assert not psutil.wait_procs(children, timeout=5)[1]
        code, out, told = overture(tmp_path, "resume", "run")
    assert code == 0, told
    assert "accepted / made" in out and read_manifest(tmp_path / "run" / "manifest.json").accepted == 40


def test_a_server_that_refuses_ends_in_one_message_and_code_4(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "scripted_players:obey", "--api-key", "secret") as closed:
        write_recipe(tmp_path, closed.base_url)
        code, out, told = overture(tmp_path, "run", "small.yaml")
        address = closed.base_url
    assert (code, out) == (4, "")
    assert told.startswith(f"overture: {address}") and len(told.splitlines()) == 1 and "api_key_env" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "Missing argument 'RECIPE'"),
        (["rnu"], "No such command 'rnu'. Did you mean 'run'?"),
        (["run", "small.yaml", "--resume", "alway"], "--resume: 'alway' is no choice; did you mean 'always'?"),
        (["run", "gone.yaml"], "gone.yaml"),
        (["resume", "."], "is not a run directory"),
    ],
)
def test_a_wrong_command_line_is_code_2_in_one_line(
    tmp_path: Path, server: ScriptedProcess, arguments: list[str], said: str
) -> None:
    write_recipe(tmp_path, server.base_url)
    code, out, told = overture(tmp_path, *arguments)
    assert (code, out) == (2, "") and told.startswith("overture: ") and len(told.splitlines()) == 1
    assert said in told


@pytest.mark.parametrize("command", ["run", "generate"])
def test_a_metrics_port_in_use_is_code_2_in_one_line(tmp_path: Path, server: ScriptedProcess, command: str) -> None:
    write_recipe(tmp_path, server.base_url)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, out, told = overture(tmp_path, command, "small.yaml", "--metrics-port", str(port))
    assert (code, out) == (2, "") and len(told.splitlines()) == 1
    assert told.startswith(f"overture: --metrics-port {port}: cannot listen on 127.0.0.1")


@pytest.mark.parametrize("command", ["run", "generate"])
def test_metrics_can_be_read_while_dialogues_are_played(tmp_path: Path, command: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    with ScriptedProcess("--reply", "scripted_players:obey", "--latency-ms", "40") as slow:
        write_recipe(tmp_path, slow.base_url, target=24)
        process = start(tmp_path, command, "small.yaml", "--metrics-port", str(port))
        try:
            turns = 0.0
            while not turns and process.poll() is None:
                with suppress(OSError), urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
                    lines = page.read().decode().splitlines()
                    turns = sum(float(x.split()[-1]) for x in lines if x.startswith("overture_turns_total "))
                time.sleep(0.05)
            _, told = process.communicate(timeout=LIMIT_S)
        finally:
            end(process)
    assert process.returncode == 0, told
    assert turns > 0
    assert any(x.startswith(f'overture_endpoint_limit{{endpoint="{slow.base_url}/v1"}}') for x in lines)


def test_check_ends_in_code_4_when_a_model_has_no_endpoint_and_tells_the_rest(
    tmp_path: Path, server: ScriptedProcess
) -> None:
    write_recipe(tmp_path, server.base_url)
    gone = "models.default.base_url=http://127.0.0.1:9"
    code, out, told = overture(tmp_path, "check", "small.yaml", "--quick", "--set", gone)
    assert code == 4 and "64 dimensions" in out and "start the server there, or mend base_url" in out
    assert told.splitlines()[-1].startswith("overture: no endpoint that can be used for model 'default'")
    code, out, told = overture(tmp_path, "check", "small.yaml", "--quick")
    assert code == 0 and "✗" not in out, told


def test_nothing_to_serve_is_said(tmp_path: Path, server: ScriptedProcess) -> None:
    write_recipe(tmp_path, server.base_url)
    code, out, told = overture(tmp_path, "serve", "small.yaml")
    assert (code, out) == (2, "") and "nothing to serve" in told


@pytest.mark.real
def test_servers_that_are_kept_up_are_used_by_other_commands_until_ctrl_c(tmp_path: Path) -> None:
    for name in ("smollm2-135m-instruct", "all-minilm-l6-v2"):
        fetch(name)
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "weights").symlink_to(cache_folder() / "weights")
    model = {"use": "llama_cpp", "weights": "smollm2-135m-instruct", "slots": 2, "context": 512, "threads": 1}
    families = [{"use": "generators.families.tutoring.Tutoring"}]
    (tmp_path / "own.yaml").write_text(
        yaml.safe_dump({"target": 2, "families": families, "models": {"default": model}})
    )
    process = start(tmp_path, "serve", "own.yaml", OVERTURE_CACHE=str(tmp_path / "cache"))
    try:
        assert process.stdout is not None
        served = [process.stdout.readline().split()[-1].removeprefix("http://") for _ in range(2)]
        assert "Ctrl-C" in process.stdout.readline()
        assert len(list((tmp_path / "cache" / "servers").iterdir())) == 2
        again = overture(tmp_path, "serve", "own.yaml", OVERTURE_CACHE=str(tmp_path / "cache"))
        code, out, told = overture(tmp_path, "check", "own.yaml", OVERTURE_CACHE=str(tmp_path / "cache"))
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=LIMIT_S)
    finally:
        end(process)
    assert code == 0, told
    assert "starting" not in told and all(address in out for address in served)
    assert again[0] == 0 and again[1].count(f"up already, by process {process.pid}") == 2
    assert (process.returncode, rest) == (0, "stopped\n")
    assert not list((tmp_path / "cache" / "servers").iterdir())
