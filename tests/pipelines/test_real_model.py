"""A real run: SmolLM2-135M through llama.cpp, stopped in the middle and resumed."""

from pathlib import Path

import pytest
import yaml
from journals import journalled
from run_driver import Nobody

from outputs.store import read_records
from pipelines.recipe import load
from pipelines.run import build
from pipelines.rundir import RunDir
from schemas.record import Record


def _journal(out: Path) -> dict[tuple[object, ...], bytes]:
    rows = journalled(out, "dialogue_id, turn, step, attempt, request, answer")
    return {tuple(key): answer for *key, answer in rows}


def _made(out: Path) -> dict[str, Record]:
    return {r.dialogue.id: r for r in read_records(RunDir(out).shard_paths())}


@pytest.mark.real
def test_a_resume_on_llama_cpp_changes_no_finished_turn(tmp_path: Path) -> None:
    recipe = tmp_path / "small.yaml"
    data = {
        "target": 2,
        "families": [{"use": "generators.families.tutoring.Tutoring"}],
        "models": {"default": {"use": "llama_cpp", "weights": "smollm2-135m-instruct", "slots": 2}},
        "budget": {"tokens": 500, "dialogues": 2},
        "max_rounds": 1,
        "concurrency": 2,
    }
    recipe.write_text(yaml.safe_dump(data))
    out = tmp_path / "run"
    stopped = build(load(recipe), RunDir(out), "if-possible", "test", Nobody()).manifest
    assert stopped.status == "short" and "500 tokens" in stopped.status_reason
    before, made = _journal(out), _made(out)
    assert before
    build(load(recipe, ["budget.tokens=null"]), RunDir(out), "if-possible", "test", Nobody())
    after, final = _journal(out), _made(out)
    assert len(after) > len(before) and {k: after[k] for k in before} == before
    assert len(final) >= len(made) and all(final[i].dialogue.turns == r.dialogue.turns for i, r in made.items())
    models = {t.model for r in final.values() for t in r.dialogue.turns if t.prompt_tokens}
    assert models == {"smollm2-135m-instruct"}
