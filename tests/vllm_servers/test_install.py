"""The environment is built once and whole, or not at all."""

import threading
import time
from pathlib import Path

import install
import pytest
from install import CannotRun


def test_what_was_begun_and_not_completed_is_built_anew(tmp_path: Path):
    home = tmp_path / "cache" / "env"
    home.mkdir(parents=True)
    (home / "half").touch()
    built: list[Path] = []

    def build(folder: Path) -> None:
        assert not folder.exists()
        folder.mkdir()
        built.append(folder)

    def interrupted(folder: Path) -> None:
        build(folder)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        install.once(home, interrupted)
    install.once(home, build)
    install.once(home, build)
    assert built == [home, home], "the third found it complete"


def test_two_that_build_at_once_build_it_once(tmp_path: Path):
    built: list[Path] = []

    def build(folder: Path) -> None:
        built.append(folder)
        time.sleep(0.3)
        folder.mkdir()

    threads = [threading.Thread(target=install.once, args=(tmp_path / "env", build)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert built == [tmp_path / "env"]


def test_a_machine_with_too_little_memory_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(install, "MEMORY_GB", 1e9)
    with pytest.raises(CannotRun, match="OVERTURE_VLLM_URL"):
        install.built()
