"""A whole run on a vLLM server: `overture run` with SmolLM2-135M, both families. Its texts are nonsense; its books are not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset
from install import Built
from serving import settings

from inference.vllm import VllmServers
from outputs.manifest import Manifest, read_manifest
from outputs.store import read_records
from schemas.chat import EndpointSpec
from schemas.errors import EXIT_SHORT

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def smol(vllm: Built, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VllmServers]:
    log = tmp_path_factory.mktemp("vllm") / "vllm.log"
    with VllmServers(settings(vllm.vllm, vllm.smol), log=log) as servers:
        yield servers


def write_recipe(path: Path, endpoint: EndpointSpec) -> None:
    data = {
        "target": 4,
        "families": [
            {"use": "generators.families.conversation.Conversation"},
            {"use": "generators.families.tutoring.Tutoring"},
        ],
        "models": {"default": {"use": "remote", "base_url": endpoint.base_url, "model": endpoint.model}},
        "filters": [],
        "oversample": 1.0,
        "max_rounds": 1,
        "concurrency": 4,
        "budget": {"minutes": 2},
    }
    path.write_text(yaml.safe_dump(data))


def check_the_books(manifest: Manifest, out: Path) -> None:
    """What was made is published or rejected, by the manifest as by the files, in all and for each policy."""
    made, published = (s for s in manifest.funnel if s.family is None)
    kept = list(read_records(sorted((out / "data").glob("*.parquet"))))
    dropped = list(read_records(sorted((out / "rejected").glob("*.parquet"))))
    assert made.count == published.count + sum(published.reasons.values()) == len(kept) + len(dropped) > 0
    assert published.count == len(kept) == sum(manifest.published.values())
    assert (manifest.status == "complete") == (len(kept) == manifest.target)
    for name, count in (("made", made.count), ("published", published.count)):
        assert sum(s.count for s in manifest.funnel if s.name == name and s.family is not None) == count
    turns = [t for r in (*kept, *dropped) for t in r.dialogue.turns if t.prompt_tokens]
    assert {t.model for t in turns} == {"smol"}
    prompt, completion, cached = (
        sum(getattr(of_role, kind) for of_role in manifest.tokens.values())
        for kind in ("prompt", "completion", "cached")
    )
    assert prompt >= sum(t.prompt_tokens or 0 for t in turns) > 0
    assert completion >= sum(t.completion_tokens or 0 for t in turns) > 0
    assert 0 < cached < prompt, "a dialogue's prompt begins like its last one"


def test_a_run_on_vllm_ends_with_books_that_balance_and_a_dataset_that_loads(smol: VllmServers, tmp_path: Path):
    write_recipe(tmp_path / "smoke.yaml", smol.endpoints[0])
    out = tmp_path / "run"
    command = [sys.executable, "-P", "-m", "pipelines.cli", "run", str(tmp_path / "smoke.yaml"), "--out", str(out)]
    ours = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
    done = subprocess.run(command, env=ours, cwd=tmp_path, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode in (0, EXIT_SHORT), done.stdout + done.stderr
    smol.check()
    manifest = read_manifest(out / "manifest.json")
    check_the_books(manifest, out)
    configs = {"default": manifest.published, "rejected": any((out / "rejected").glob("*.parquet"))}
    for name in (name for name, rows in configs.items() if rows):
        loaded = load_dataset(str(out), None if name == "default" else name, cache_dir=str(tmp_path / "cache"))
        assert sum(split.num_rows for split in loaded.values()) > 0
