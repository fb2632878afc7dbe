"""The deployment of prefect.yaml on a Prefect server of its own, with a worker of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from datasets import load_dataset
from scripted_server import ScriptedProcess

from outputs.manifest import read_manifest
from pipelines.environment import QUIET

ROOT = Path(__file__).parents[2]
NIGHTLY = "build-dataset/nightly"
START_S = 120


class Prefect:
    """A Prefect server, its command line and its API."""

    def __init__(self, home: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.api = f"http://127.0.0.1:{self.port}/api"
        ours = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        self._env = {
            **ours,
            **QUIET,
            "PREFECT_HOME": str(home),
            "PREFECT_API_URL": self.api,
            "PREFECT_UI_ENABLED": "false",
            "PREFECT_WORKER_QUERY_SECONDS": "1",
        }
        self._logs = home.parent

    @contextmanager
    def running(self, name: str, *arguments: str) -> Generator[None]:
        """`prefect ARGUMENTS` in the background; its whole session is gone afterwards."""
        command = [sys.executable, "-m", "prefect", *arguments]
        with (self._logs / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, cwd=ROOT, env=self._env, stdout=log, stderr=log, start_new_session=True)
            try:
                yield
            finally:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(15)
                with suppress(ProcessLookupError):  # whatever it started
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def cli(self, *arguments: str) -> str:
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.api + path, data, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def await_ready(self) -> None:
        until = time.monotonic() + START_S
        while True:
            try:
                assert self.ask("/health") is True
            except OSError:
                assert time.monotonic() < until, (self._logs / "server.log").read_text()
                time.sleep(0.2)
            else:
                return

    def await_end(self, run_id: str) -> dict[str, Any]:
        until = time.monotonic() + START_S
        while (run := self.ask(f"/flow_runs/{run_id}"))["state_type"] not in ("COMPLETED", "FAILED", "CRASHED"):
            assert time.monotonic() < until, f"{run['state']}\n{(self._logs / 'worker.log').read_text()}"
            time.sleep(0.5)
        return run


def tutoring(folder: Path, base_url: str) -> Path:
    model = {"use": "remote", "base_url": base_url, "model": "scripted"}
    families = [{"use": "generators.families.tutoring.Tutoring"}]
    data = {"target": 400, "families": families, "models": {"default": model}, "embedder": model}
    path = folder / "tutoring.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_the_deployment_builds_a_dataset_with_an_override_and_shows_what_it_did(tmp_path: Path) -> None:
    with ExitStack() as stack:
        model = stack.enter_context(ScriptedProcess("--reply", "scripted_players:obey"))
        prefect = Prefect(tmp_path / "prefect")
        port = str(prefect.port)
        stack.enter_context(prefect.running("server", "server", "start", "--host", "127.0.0.1", "--port", port))
        prefect.await_ready()
        prefect.ask("/work_pools/", {"name": "overture", "type": "process"})
        stack.enter_context(prefect.running("worker", "worker", "start", "--pool", "overture", "--type", "process"))
        prefect.cli("deploy", "--all")
        deployment = prefect.ask(f"/deployments/name/{NIGHTLY}")
        recipe = tutoring(tmp_path, model.base_url)
        given = {"recipe": str(recipe), "out": str(tmp_path / "run"), "sets": ["target=4"]}
        prefect.cli("deployment", "run", NIGHTLY, "--params", json.dumps(given))
        of_it = {"flow_runs": {"deployment_id": {"any_": [deployment["id"]]}, "parent_task_run_id": {"is_null_": True}}}
        manual = [r for r in prefect.ask("/flow_runs/filter", of_it) if not r["auto_scheduled"]]
        assert len(manual) == 1
        run = prefect.await_end(manual[0]["id"])
        assert run["state_type"] == "COMPLETED", (tmp_path / "worker.log").read_text()
        of_run = {"flow_runs": {"id": {"any_": [run["id"]]}}}
        tasks = prefect.ask("/task_runs/filter", of_run)
        artifacts = prefect.ask("/artifacts/filter", of_run)
    assert (
        deployment["schedules"][0]["schedule"]["cron"] and deployment["entrypoint"] == "pipelines.dataset.build_dataset"
    )
    assert run["name"] == f"build {recipe}"
    rounds = len(list((tmp_path / "run" / "plans").glob("r*.json")))
    assert {t["name"] for t in tasks} == {"publish"} | {
        name for n in range(1, rounds + 1) for name in (f"play round {n}", f"select after round {n}")
    }
    progress = {a["key"]: a["data"] for a in artifacts if a["type"] == "progress"}
    assert progress == {f"round-{n}": 100.0 for n in range(1, rounds + 1)}
    (funnel,) = [json.loads(a["data"]) for a in artifacts if a["type"] == "table"]
    assert [row["dialogues"] for row in funnel if row["step"] == "published" and row["family"] == "all"] == [4]
    assert read_manifest(tmp_path / "run" / "manifest.json").accepted == 4
    loaded = load_dataset(str(tmp_path / "run"), cache_dir=str(tmp_path / "cache"))
    assert sum(len(split) for split in loaded.values()) == 4
