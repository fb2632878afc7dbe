from pathlib import Path

import pytest

from outputs.licences import NOT_TOLD, terms
from pipelines.recipe import load
from pipelines.reference import Reference
from pipelines.sources import sources
from schemas.errors import RecipeError

RECIPE = """
target: 4
families:
  - use: generators.families.tutoring.Tutoring
    problems: {file}
    reference: {talks}
models: {{default: {{use: remote, base_url: "http://127.0.0.1:9/v1", model: my-model}}}}
licences: {licences}
"""


def recipe(tmp_path: Path, licences: str) -> Path:
    problems = tmp_path / "problems.jsonl"
    problems.write_text('{"question": "What is 1 + 1?", "answer": "2"}\n')
    (tmp_path / "talks.parquet").touch()
    path = tmp_path / "run.yaml"
    talks = f"path:{tmp_path / 'talks.parquet'}"
    path.write_text(RECIPE.format(file=problems, talks=talks, licences=licences.replace("FILE", str(problems))))
    return path


def test_what_the_recipe_tells_of_its_sources_decides_the_licence(tmp_path: Path):
    made = load(recipe(tmp_path, "{default: Apache-2.0, FILE: CC BY-SA 4.0}"))
    talks = f"path:{tmp_path / 'talks.parquet'}"
    reference = Reference(talks, tmp_path, 0, {"fit": 1, "dev": 1, "test": 1}, None)
    found = {s.name: s for s in sources(made, {"tutoring": reference})}
    problems = found[str(tmp_path / "problems.jsonl")]
    assert (problems.kind, problems.licence, problems.use) == ("problems", "CC BY-SA 4.0", "problems of tutoring")
    assert problems.version.startswith("sha256:")
    assert (found["my-model"].licence, found[talks].licence) == ("Apache-2.0", NOT_TOLD)
    assert found["pypi:chitchat-dataset"].licence == "MIT", "what the family's latents were fitted on"
    assert (found["all-minilm-l6-v2"].licence, found["overture"].licence) == ("Apache-2.0", "Apache-2.0")
    assert terms(found.values(), "apache-2.0").licence == "cc-by-sa-4.0"


def test_a_problem_file_of_unknown_licence_makes_a_dataset_of_unknown_licence(tmp_path: Path):
    made = load(recipe(tmp_path, "{default: Apache-2.0}"))
    found = terms(sources(made, {}), "apache-2.0")
    assert (found.licence, found.because) == ("unknown", (str(tmp_path / "problems.jsonl"),))


def test_a_licence_of_what_does_not_go_in_is_refused(tmp_path: Path):
    with pytest.raises(RecipeError, match=r"licences\.defualt: nothing of this name .*did you mean 'default'"):
        load(recipe(tmp_path, "{defualt: MIT}"))
