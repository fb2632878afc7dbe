"""The star: who may import whom, of ours and of what is heavy."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("schemas", "inference", "generators", "discriminators", "filters", "rewards", "outputs", "pipelines")
HEAVY = {  # dependency: the only place that imports it
    "aiohttp": "inference/",
    "datasets": "pipelines/reference.py",
    "fastapi": "pipelines/human_server.py",
    "uvicorn": "pipelines/human_server.py",
    "huggingface_hub": "outputs/hub.py",
    "openai": "inference/openai_transport.py",
    "jinja2": "outputs/",
    "pandas": "nowhere",
    "phonenumbers": "filters/personal_data.py",
    "playwright": "nowhere",
    "prefect": "pipelines/",
    "rensa": "filters/near_duplicate.py",
    "httptools": "inference/http1.py",
    "prometheus_client": "pipelines/exposition.py",
    "scipy": "discriminators/",
    "spellchecker": "discriminators/",
    "sentence_transformers": "inference/embedding_child.py",
    "sandlock": "pipelines/confined.py",
    "sklearn": "discriminators/",
    "textual": "outputs/browser.py",
    "torch": "inference/embedding_child.py",
    "transformers": "nowhere",
    "typer": "pipelines/",
    "xllamacpp": "inference/llama_cpp_child.py",
}


class Import(NamedTuple):
    file: str
    line: int
    module: str
    """Top-level name; empty for a relative import."""
    at_top: bool


def imports() -> Iterator[Import]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            for node in ast.walk(tree):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
                if isinstance(node, ast.ImportFrom):
                    names = ["" if node.level else node.module or ""]
                for name in names:
                    yield Import(str(path.relative_to(ROOT)), node.lineno, name.split(".")[0], node in tree.body)


IMPORTS = list(imports())


def test_a_folder_imports_only_schemas_and_itself_and_pipelines_imports_all():
    assert {i.file.split("/")[0] for i in IMPORTS} == set(FOLDERS)
    for i in IMPORTS:
        folder = i.file.split("/")[0]
        allowed = FOLDERS if folder == "pipelines" else ("schemas", folder)
        assert i.module not in FOLDERS or i.module in allowed, f"{i.file}:{i.line} imports {i.module}"


@pytest.mark.parametrize("dependency", HEAVY)
def test_a_heavy_dependency_has_one_importer(dependency: str):
    strays = [i for i in IMPORTS if i.module == dependency and not i.file.startswith(HEAVY[dependency])]
    assert not strays


def test_our_own_imports_are_absolute_and_at_the_top():
    relative = [i for i in IMPORTS if not i.module]
    late = [i for i in IMPORTS if i.module in FOLDERS and not i.at_top and not i.file.startswith("pipelines/cli")]
    assert not relative + late


def test_no_file_of_pipelines_is_named_like_a_root_folder_or_a_dependency():
    taken = {*FOLDERS, *packages_distributions(), *sys.stdlib_module_names}
    assert not [p.name for p in (ROOT / "pipelines").iterdir() if p.stem in taken]


def test_what_is_imported_is_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for extra in project["optional-dependencies"].values() for r in extra)]
    declared = {re.split(r"[^\w-]", r)[0].lower() for r in wanted}
    of_module = packages_distributions()
    undeclared = {
        i.module
        for i in IMPORTS
        if i.module not in FOLDERS and i.module not in sys.stdlib_module_names and i.module != "pydantic_core"
        if not declared & {d.lower().replace("_", "-") for d in of_module.get(i.module, [])}
    }
    assert not undeclared


def test_a_worker_imports_nothing_heavy():
    code = "import sys, pipelines.worker; print(*sorted({m.split('.')[0] for m in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert not {"prefect", "torch", "pyarrow", "datasets", "sklearn", "sentence_transformers", "rensa"} & set(
        done.stdout.split()
    )


def test_only_test_folders_have_no_init():
    assert not list((ROOT / "tests").rglob("__init__.py"))
    assert not [p for f in FOLDERS for p in (ROOT / f).rglob("__init__.py") if p.read_text().strip()]
