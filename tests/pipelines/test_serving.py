"""Servers that outlive a run: how they are found, and which files are not believed."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
from scripted_server import ScriptedServer

from pipelines.engines import embedder_key, model_key
from pipelines.recipe_models import LlamaCpp, LocalEmbedder, Remote, Vllm
from pipelines.serving import announced, find, owner, server_key, weights_settings
from schemas.chat import EndpointSpec

KEY = server_key("scripted", {"slots": 4})


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path))
    return tmp_path / "servers"


def written(folder: Path, **changes: Any) -> Path:
    """A file as another process would have left it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{KEY[:32]}.json"
    endpoint = {"base_url": "http://127.0.0.1:9", "model": "scripted"}
    path.write_bytes(orjson.dumps({"pid": os.getpid(), "endpoints": [endpoint], **changes}))
    path.chmod(0o600)
    return path


def ended_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_server_is_found_while_it_is_kept_up_and_not_after(folder: Path):
    with ScriptedServer() as server:
        spec = EndpointSpec(base_url=server.base_url, model="scripted", max_in_flight=8)
        assert find(KEY) is None
        with announced({KEY: [spec]}):
            assert find(KEY) == (spec,)
            assert owner(KEY) == os.getpid()
            assert find(server_key("scripted", {"slots": 8})) is None
            (path,) = folder.iterdir()
            assert path.stat().st_mode & 0o777 == 0o600 and folder.stat().st_mode & 0o777 == 0o700
        assert find(KEY) is None and not list(folder.iterdir())


def test_its_file_goes_however_the_keeping_ends(folder: Path):
    spec = EndpointSpec(base_url="http://127.0.0.1:9", model="scripted")
    with pytest.raises(KeyboardInterrupt), announced({KEY: [spec]}):
        raise KeyboardInterrupt
    assert not list(folder.iterdir())


def test_the_file_of_a_process_that_was_killed_is_ignored_and_removed(folder: Path):
    with ScriptedServer() as server:
        path = written(folder, pid=ended_pid(), endpoints=[{"base_url": server.base_url, "model": "scripted"}])
        assert find(KEY) is None
    assert not path.exists()


def test_a_server_that_does_not_answer_is_ignored_and_its_file_removed(folder: Path):
    path = written(folder)
    assert find(KEY) is None and not path.exists()


def test_a_server_of_another_model_is_ignored_and_its_file_removed(folder: Path):
    with ScriptedServer(model="another") as server:
        path = written(folder, endpoints=[{"base_url": server.base_url, "model": "scripted"}])
        assert find(KEY) is None
    assert not path.exists()


def test_a_server_that_wants_a_key_is_not_used_but_its_file_stays(folder: Path):
    with ScriptedServer(api_key="secret") as server:
        path = written(folder, endpoints=[{"base_url": server.base_url, "model": "scripted"}])
        assert find(KEY) is None
    assert path.exists()


def test_a_file_that_others_may_read_or_write_is_not_believed(folder: Path):
    with ScriptedServer() as server:
        path = written(folder, endpoints=[{"base_url": server.base_url, "model": "scripted"}])
        assert find(KEY) is not None
        path.chmod(0o620)
        assert find(KEY) is None


@pytest.mark.parametrize(
    "content",
    [
        b'{"pid": 1, "endp',
        b"[]",
        b"{}",
        b'{"pid": "x", "endpoints": []}',
        b'{"pid": 1, "endpoints": [{"url": "http://127.0.0.1:9"}]}',
        b'{"pid": 1, "endpoints": [{"base_url": "http://models.example/v1", "model": "scripted"}]}',
        b'{"pid": 1, "endpoints": [{"base_url": "http://10.0.0.1:8000", "model": "scripted"}]}',
    ],
)
def test_a_file_that_is_no_address_of_this_machine_is_ignored(folder: Path, content: bytes):
    path = written(folder)
    path.write_bytes(content)
    assert find(KEY) is None


def test_models_of_equal_settings_share_a_server_whatever_is_sampled_from_them():
    model = LlamaCpp(threads=2)
    assert model_key(model) == model_key(LlamaCpp(threads=2, sampling={"temperature": 0.1}))
    for other in (LlamaCpp(threads=2, slots=8), LlamaCpp(threads=2, context=2048), LlamaCpp(threads=1)):
        assert model_key(other) != model_key(model)
    assert model_key(LlamaCpp(threads=2, weights="smollm2-135m-instruct")) != model_key(model)
    assert model_key(Vllm(model="a")) == model_key(Vllm(model="a", ready_s=5.0)) != model_key(Vllm(model="b"))
    assert model_key(Remote(base_url=("http://127.0.0.1:9",), model="m")) is None
    assert embedder_key(LocalEmbedder()) not in (None, model_key(model))


def test_weights_of_the_same_path_but_changed_are_others(tmp_path: Path):
    path = tmp_path / "weights.gguf"
    path.write_bytes(b"GGUF1")
    before = weights_settings(str(path))
    os.utime(path, ns=(1, 1))
    assert weights_settings(str(path)) != before
    assert weights_settings("qwen2.5-coder-1.5b-instruct") == {"weights": "qwen2.5-coder-1.5b-instruct"}
