import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_filter_of_the_contributing_page_passes_its_test_and_the_lint(tmp_path: Path):
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    module, test = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    code = tmp_path / "echo.py"
    code.write_text(module)
    shown = tmp_path / "test_echo.py"
    shown.write_text(test.replace("from filters.echo", "from echo"))
    env = {"PYTHONPATH": f"{tmp_path}:{ROOT}:{ROOT / 'tests'}", "PATH": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(shown)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=env)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    lint = [sys.executable, "-m", "ruff", "check", "--config", str(ROOT / "pyproject.toml"), "--no-cache", str(code)]
    linted = subprocess.run(lint, capture_output=True, text=True)
    assert linted.returncode == 0, linted.stdout


def test_every_path_the_contributing_page_names_exists():
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {p for p in re.findall(r"`([\w./-]+/[\w.-]*|[A-Z]+\.md)`", page) if "echo" not in p and "<" not in p}
    assert named
    assert not [p for p in named if p != ".venv/bin/pre-commit" and not (ROOT / p).exists()]
