"""The page on adding a family, followed literally in an empty folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

from scripted_players import obey
from scripted_server import ScriptedServer

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "add-a-family.md").read_text(encoding="utf-8")


def written(folder: Path) -> None:
    """Every file the page gives: its name in backquotes, then its text."""
    files = re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)```", PAGE, flags=re.DOTALL | re.MULTILINE)
    assert [name for name, _ in files] == ["lost_property.yaml", "lost_property.py", "recipe.yaml"]
    for name, text in files:
        (folder / name).write_text(text)


def commands() -> list[str]:
    shown = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
    return [line for block in shown for line in block.splitlines()]


def test_the_page_builds_a_family_that_validates_and_plays(tmp_path: Path):
    written(tmp_path)
    with ScriptedServer(obey) as server:
        recipe = tmp_path / "recipe.yaml"
        model = f"{{use: remote, base_url: '{server.base_url}', model: scripted}}"
        recipe.write_text(f"{recipe.read_text()}models:\n  default: {model}\nembedder: {model}\n")
        env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        ran: list[str] = []
        for command in commands():
            setting, *words = shlex.split(command)
            name, _, value = setting.partition("=")
            done = subprocess.run(
                words, cwd=tmp_path, env=env | {name: value}, capture_output=True, text=True, timeout=120
            )
            assert done.returncode == 0, done.stdout + done.stderr
            ran.append(done.stdout)
    assert "what colour is it" in ran[1].lower()


def test_the_family_of_the_page_passes_the_lint(tmp_path: Path):
    written(tmp_path)
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache"]
    linted = subprocess.run([*lint, str(tmp_path / "lost_property.py")], capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout
