"""A vLLM server that a recipe starts: `overture generate` with the tiny model, end to end. Its texts are noise, so most
dialogues end as faults; they are all kept and counted, and nothing of the server is left.
"""

import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
import psutil
import pytest
import yaml
from install import Built
from serving import settings

from outputs.store import read_records

pytestmark = pytest.mark.real

DIALOGUES = 8
NAME = "tiny-of-a-recipe"
FROM_SETTINGS = ("context", "dtype", "args", "env", "ready_s")


def write_recipe(path: Path, vllm: Built) -> None:
    ours: dict[str, Any] = asdict(settings(vllm.vllm, vllm.tiny))
    options = {name: list(ours[name]) if name == "args" else ours[name] for name in FROM_SETTINGS}
    model = {"use": "vllm", "model": str(vllm.tiny), "served_model_name": NAME, "command": str(vllm.vllm), **options}
    data: dict[str, Any] = {
        "target": DIALOGUES,
        "families": [
            {"use": "generators.families.conversation.Conversation"},
            {"use": "generators.families.tutoring.Tutoring"},
        ],
        "models": {"default": model},
        "concurrency": 8,
        "budget": {"minutes": 5},
    }
    path.write_text(yaml.safe_dump(data))


def of_the_server() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if NAME in (p.info["cmdline"] or ())]


def test_a_recipe_starts_its_server_plays_on_it_and_leaves_nothing_of_it(vllm: Built, tmp_path: Path):
    write_recipe(tmp_path / "tiny.yaml", vllm)
    out = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "pipelines.cli", "generate", str(tmp_path / "tiny.yaml"), "--out", str(out)]
    done = subprocess.run(
        command, env=dict(os.environ), cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{DIALOGUES} dialogues in " in " ".join(done.stdout.split())
    assert of_the_server() == []
    assert NAME in (out / "logs" / "default.log").read_text()

    dialogues = [r.dialogue for r in read_records(sorted((out / "shards").glob("*.parquet")))]
    assert len(dialogues) == DIALOGUES
    assert {d.scenario.family for d in dialogues} == {"conversation", "tutoring"}
    assert {t.model for d in dialogues for t in d.turns} <= {None, NAME}
    assert all(d.ending.detail not in ("unanswered", "context_overflow") for d in dialogues)

    (spent,) = orjson.loads((out / "spent.json").read_bytes()).values()
    (server,) = (told for told in spent["endpoints"].values() if told["completion_tokens"])
    assert server["faults"] == {} and server["set_aside"] == 0
    assert server["sent"] == server["answered"] + server["cancelled"] > DIALOGUES
    assert server["prompt_tokens"] > server["cached_tokens"] > 0, "a dialogue's prompt begins like its last one"
    by_role = spent["usage"].values()
    assert sum(role["calls"] for role in by_role) > DIALOGUES
    assert server["completion_tokens"] >= sum(role["completion_tokens"] for role in by_role) > 0
