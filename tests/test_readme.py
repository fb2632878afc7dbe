"""The README's commands and snippets do what they say; the model is a scripted one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import yaml
from run_driver import Nobody
from scripted_server import ScriptedProcess

from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.S)


def overture(arguments: list[str], cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipelines.cli", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_three_lines_load_the_quickstart_run(tmp_path: Path) -> None:
    with ScriptedProcess("--reply", "scripted_players:obey") as server:
        model = {"use": "remote", "base_url": server.base_url, "model": "scripted"}
        recipe = yaml.safe_load((ROOT / "recipes" / "quickstart.yaml").read_text())
        for family in recipe["families"]:
            family["reference"] = None
        (tmp_path / "quickstart.yaml").write_text(
            yaml.safe_dump({**recipe, "models": {"default": model}, "embedder": model})
        )
        run_dir = RunDir(tmp_path / "runs" / "quickstart")
        build(load(tmp_path / "quickstart.yaml"), run_dir, "if-possible", "test", Nobody())
    environment = {**os.environ, "HF_DATASETS_CACHE": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    snippet = next(b for b in blocks("python") if "load_dataset" in b)
    done = subprocess.run(
        [sys.executable, "-c", snippet], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and "'role': 'assistant'" in done.stdout, done.stderr


def test_the_recipe_for_vllm_is_valid_and_its_commands_exist(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(blocks("yaml")[0])
    commands = [line.split("#")[0].split() for block in blocks("sh") for line in block.splitlines()]
    ours = [c[1:] for c in commands if c[:1] == [".venv/bin/overture"]]
    assert {c[0] for c in ours} >= {"view", "validate", "check", "run"}
    for arguments in ours:
        assert overture([arguments[0], "--help"], tmp_path).returncode == 0
    validate = next(c for c in ours if c[0] == "validate")
    assert overture(validate, tmp_path).returncode == 0
    targets = {c[1] for c in commands if c[:1] == ["make"]}
    assert targets == {"demo", "test"} and all(f"\n{t}:" in (ROOT / "Makefile").read_text() for t in targets)
