"""What was answered is there after whatever happens, and serves the very request it answered."""

import asyncio
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scripted_server import ScriptedServer

from inference.client import Connections
from pipelines.journal import MOST, MOST_BYTES, TELL, Answer, Journal, Place
from pipelines.services import DialogueCalls, Models, RoleModel
from schemas.chat import CallKey, ChatReply, ChatRequest, EndpointSpec, Message, Sampling
from schemas.errors import ContextOverflow, InvalidOutput, RunError, StorageError

PLACE = Place("", 0, "say", 0)


def put(folder: Path, name: str, records: list[tuple[str, Place, Answer]], fingerprint: str = "f" * 32) -> None:
    async def all_of_them(journal: Journal) -> None:
        await asyncio.gather(*(journal.put(*record) for record in records))

    with Journal(folder, name, fingerprint) as journal:
        asyncio.run(all_of_them(journal))


def answers(folder: Path, dialogue_id: str, name: str = "reader") -> dict[Place, Answer]:
    with Journal(folder, name, "f" * 32) as journal:
        return dict(journal.answers(dialogue_id))


places = st.builds(
    Place, st.sampled_from(["", "r1", "r1/2"]), st.integers(-1, 3), st.sampled_from(["say", "judge"]), st.integers(0, 2)
)
records = st.tuples(st.sampled_from(["a", "b"]), places, st.builds(Answer, st.text(max_size=8), st.binary(max_size=40)))


@settings(max_examples=15)
@given(st.lists(records, max_size=25), st.integers(0, 25))
def test_a_reopened_journal_tells_the_last_answer_of_every_place(done: list[tuple[str, Place, Answer]], cut: int):
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), "w", done[:cut])
        put(Path(folder), "w", done[cut:])
        for dialogue in ("a", "b"):
            last = {place: answer for name, place, answer in done if name == dialogue}
            assert answers(Path(folder), dialogue) == last


def test_a_worker_reads_what_another_has_answered(tmp_path: Path):
    put(tmp_path, "worker-000", [("d", PLACE, Answer("r", b"first"))])
    put(tmp_path, "worker-001", [("d", PLACE._replace(turn=1), Answer("r", b"second"))])
    assert [a.answer for _, a in sorted(answers(tmp_path, "d", "worker-001").items())] == [b"first", b"second"]


def test_files_of_others_are_not_written_and_one_just_being_made_is_no_error(tmp_path: Path):
    put(tmp_path, "worker-000", [("d", PLACE, Answer("r", b"first"))])
    sqlite3.connect(tmp_path / "worker-001.sqlite").close()
    (tmp_path / "worker-002.sqlite").touch()
    before = {p.name: p.read_bytes() for p in tmp_path.glob("worker-00[012].sqlite")}
    put(tmp_path, "worker-009", [("d", PLACE._replace(turn=5), Answer("r", b"own"))])
    assert {p.name: p.read_bytes() for p in tmp_path.glob("worker-00[012].sqlite")} == before
    assert len(answers(tmp_path, "d")) == 2


@pytest.mark.parametrize("name", ["worker-000", "worker-001"])
def test_a_journal_of_another_generation_is_refused_be_it_ones_own_or_anothers(tmp_path: Path, name: str):
    put(tmp_path, "worker-000", [("d", PLACE, Answer("r", b"x"))])
    with pytest.raises(
        RunError,
        match=r"worker-000.sqlite: journal of generation ffffffffffff, this recipe is other.*give another --out",
    ):
        put(tmp_path, name, [], fingerprint="other")


def test_what_is_no_journal_is_a_storage_error(tmp_path: Path):
    (tmp_path / "worker-000.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"journal .*worker-000.sqlite: file is not a database"):
        put(tmp_path, "worker-000", [])


def test_a_killed_worker_loses_no_committed_answer(tmp_path: Path):
    code = (
        "import asyncio, os, sys; from pathlib import Path; from pipelines.journal import Answer, Journal, Place\n"
        "async def main(j):\n"
        "    for n in range(50):\n"
        "        await j.put('d', Place('', n, 'say', 0), Answer('r', b'x'))\n"
        "    os.kill(os.getpid(), 9)\n"
        "with Journal(Path(sys.argv[1]), 'worker-000', 'f' * 32) as j: asyncio.run(main(j))"
    )
    ended = subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=False, cwd=Path(__file__).parents[2])
    assert ended.returncode == -signal.SIGKILL
    assert len(answers(tmp_path, "d")) == 50


async def test_a_full_disk_is_one_storage_error_and_nothing_is_lost(tmp_path: Path):
    with Journal(tmp_path, "w", "f" * 32) as journal:
        connection = journal._own  # the limit is of the connection
        await journal.put("d", PLACE, Answer("r", b"before"))
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        large = (journal.put("d", PLACE._replace(turn=n), Answer("r", b"x" * 100_000)) for n in (1, 2))
        told = await asyncio.gather(*large, return_exceptions=True)
        assert [type(error) for error in told] == [StorageError, StorageError]
        assert re.search(r"w.sqlite: database or disk is full; free space .* then resume", str(told[0]))
        assert answers(tmp_path, "d") == {PLACE: Answer("r", b"before")}
        connection.execute("PRAGMA max_page_count = 100000")
        await journal.put("d", PLACE._replace(turn=1), Answer("r", b"after"))
        found = answers(tmp_path, "d")  # what could not be committed was kept until it could, and keeps its order
        assert {p.turn: a.answer[:5] for p, a in found.items()} == {0: b"befor", 1: b"after", 2: b"xxxxx"}


async def test_a_full_disk_is_told_to_those_who_wait_for_room_too(tmp_path: Path):
    with Journal(tmp_path, "w", "f" * 32) as journal:
        journal._own.execute("PRAGMA max_page_count = 6")
        puts = (journal.put("d", PLACE._replace(turn=n), Answer("r", b"x" * MOST_BYTES)) for n in range(3))
        told = await asyncio.gather(*puts, return_exceptions=True)
        assert [type(error) for error in told] == [StorageError] * 3
        journal._own.execute("PRAGMA max_page_count = 100000")
    assert len(answers(tmp_path, "d")) == 3


async def test_what_sqlite_cannot_hold_is_told_and_not_waited_for(tmp_path: Path):
    with pytest.raises(OverflowError), Journal(tmp_path, "w", "f" * 32) as journal, pytest.raises(OverflowError):
        await journal.put("d", PLACE._replace(turn=2**70), Answer("r", b"x"))


def test_a_disk_that_stays_full_is_told_when_the_journal_is_closed(tmp_path: Path):
    async def cancelled(journal: Journal) -> None:
        task = asyncio.create_task(journal.put("d", PLACE, Answer("r", b"x" * 200_000)))
        await asyncio.sleep(0)
        task.cancel()

    with pytest.raises(StorageError, match="full"), Journal(tmp_path, "w", "f" * 32) as journal:
        journal._own.execute("PRAGMA max_page_count = 6")
        asyncio.run(cancelled(journal))


@pytest.mark.skipif(sys.platform != "linux", reason="limits of file sizes differ")
def test_a_process_whose_disk_is_full_ends_with_exit_5(tmp_path: Path):
    code = (
        "import asyncio, sys; from pathlib import Path; from pipelines.journal import Answer, Journal, Place\n"
        "from schemas.errors import StorageError\n"
        "async def main(j):\n"
        "    for n in range(100):\n"
        "        await j.put('d', Place('', n, 'say', 0), Answer('r', b'x' * 4000))\n"
        "try:\n"
        "    with Journal(Path(sys.argv[1]), 'w', 'f' * 32) as j: asyncio.run(main(j))\n"
        "except StorageError as e:\n"
        "    sys.stderr.write(str(e)); sys.exit(e.exit_code)"
    )

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))

    command = [sys.executable, "-c", code, str(tmp_path)]
    ended = subprocess.run(
        command, check=False, capture_output=True, text=True, preexec_fn=limited, cwd=Path(__file__).parents[2]
    )
    assert ended.returncode == 5 and "free space or check permissions, then resume" in ended.stderr
    found = answers(tmp_path, "d")
    assert len(found) >= 5 and all(a.answer == b"x" * 4000 for a in found.values())
    assert sorted(p.turn for p in found) == list(range(len(found)))


async def test_a_cancelled_caller_does_not_lose_its_record(tmp_path: Path):
    with Journal(tmp_path, "w", "f" * 32) as journal:
        tasks = [asyncio.create_task(journal.put("d", PLACE._replace(turn=n), Answer("r", b"x"))) for n in range(5)]
        await asyncio.sleep(0)
        for task in tasks[:3]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert len(answers(tmp_path, "d")) == 5


def begin_writing(path: Path) -> sqlite3.Connection:
    """Somebody else who writes: commits of the journal wait for the end of that."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


async def until(true: Callable[[], bool]) -> None:
    while not true():
        await asyncio.sleep(0.001)


async def test_the_loop_goes_on_while_a_commit_takes_long_and_the_next_batch_gathers(tmp_path: Path):
    with Journal(tmp_path, "w", "f" * 32) as journal, closing(begin_writing(tmp_path / "w.sqlite")) as other:
        first = asyncio.create_task(journal.put("d", PLACE, Answer("r", b"first")))
        await until(lambda: journal._committing is not None)
        more = [asyncio.create_task(journal.put("d", PLACE._replace(turn=n), Answer("r", b"x"))) for n in range(1, 9)]
        await until(lambda: journal._due)
        assert not any(task.done() for task in (first, *more))
        other.execute("ROLLBACK")
        await asyncio.gather(first, *more)
        assert len(answers(tmp_path, "d")) == 9


async def test_who_puts_more_than_may_gather_waits_for_the_writer(tmp_path: Path):
    large = Answer("r", b"x" * (MOST_BYTES // 2))
    with Journal(tmp_path, "w", "f" * 32) as journal, closing(begin_writing(tmp_path / "w.sqlite")) as other:
        first = asyncio.create_task(journal.put("d", PLACE, large))
        await until(lambda: journal._committing is not None)
        more = [asyncio.create_task(journal.put("d", PLACE._replace(turn=n), large)) for n in range(1, 8)]
        await until(lambda: journal._due)
        assert journal._gathering.bytes == MOST_BYTES
        more[0].cancel()  # gathers already: committed
        more[6].cancel()  # waits for room: never taken
        other.execute("ROLLBACK")
        await asyncio.gather(first, *more, return_exceptions=True)
    assert sorted(place.turn for place in answers(tmp_path, "d")) == [0, 1, 2, 3, 4, 5, 6]


async def test_many_small_answers_are_bounded_by_their_number(tmp_path: Path):
    with Journal(tmp_path, "w", "f" * 32) as journal, closing(begin_writing(tmp_path / "w.sqlite")) as other:
        puts = [journal.put("d", PLACE._replace(turn=n), Answer("r", b"")) for n in range(2 * MOST + 500)]
        tasks = [asyncio.create_task(p) for p in puts]
        await until(lambda: journal._due)
        assert len(journal._gathering.waiters) <= MOST
        other.execute("ROLLBACK")
        await asyncio.gather(*tasks)
    assert len(answers(tmp_path, "d")) == 2 * MOST + 500


def test_what_is_still_being_committed_when_the_loop_ends_is_committed(tmp_path: Path):
    async def left_behind(journal: Journal) -> None:
        places = [PLACE._replace(turn=n) for n in range(3 * TELL)]
        committing = [asyncio.create_task(journal.put("d", place, Answer("r", b"x"))) for place in places]
        await until(lambda: journal._committing is not None)
        gathering = asyncio.create_task(journal.put("d", PLACE._replace(turn=-1), Answer("r", b"x")))
        await asyncio.sleep(0)
        for task in (*committing, gathering):
            task.cancel()

    with Journal(tmp_path, "w", "f" * 32) as journal, closing(begin_writing(tmp_path / "w.sqlite")) as other:
        asyncio.run(left_behind(journal))
        assert not answers(tmp_path, "d")
        other.execute("ROLLBACK")
    assert len(answers(tmp_path, "d")) == 3 * TELL + 1


def test_a_life_is_told_what_earlier_ones_were_answered_not_its_own(tmp_path: Path):
    put(tmp_path, "w", [("d", PLACE, Answer("r", b"earlier"))])
    with Journal(tmp_path, "w", "f" * 32) as journal:
        asyncio.run(journal.put("d", PLACE._replace(turn=1), Answer("r", b"now")))
        assert dict(journal.answers("d")) == {PLACE: Answer("r", b"earlier")}
    assert len(answers(tmp_path, "d")) == 2


# What the services make of it


def request(text: str = "Hello", **more: Any) -> ChatRequest:
    return ChatRequest(CallKey(turn=0, **more), (Message("user", text),), Sampling(), seed=1)


class Asking:
    """One dialogue's services, against a server, with a journal opened anew."""

    def __init__(self, folder: Path, server: ScriptedServer, **sampling: float):
        self._journal = Journal(folder, "w", "f" * 32)
        self._connections = Connections()
        self._endpoint = EndpointSpec(server.base_url, "scripted")
        self._sampling = sampling

    async def __aenter__(self) -> "Asking":
        self._journal.__enter__()
        await self._connections.__aenter__()
        models = Models(self._connections, {"user": RoleModel((self._endpoint,), self._sampling)}, self._endpoint)
        self.usage = models.usage["user"]
        self.calls = DialogueCalls(self._journal, "d", models.usage)
        services = models.services(self.calls, order=0)
        self.chat, self.embed = services.chat["user"], services.embed
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._connections.__aexit__(*error)
        self._journal.__exit__(*error)


async def test_an_answer_is_asked_for_once_and_comes_back_as_it_was(tmp_path: Path):
    with ScriptedServer() as server:
        async with Asking(tmp_path, server) as first:
            reply = await first.chat.ask(request())
        async with Asking(tmp_path, server) as second:
            again: ChatReply = await second.chat.ask(request())
        assert again == reply and len(server.requests) == 1
    assert (first.usage.calls, first.usage.replayed, second.usage.calls, second.usage.replayed) == (1, 0, 0, 1)
    assert [(p.role, p.turn, p.messages) for p in second.calls.prompts] == [("user", 0, (Message("user", "Hello"),))]


@pytest.mark.parametrize("other", [request("Good evening"), request(attempt=1), request(step="judge")])
async def test_an_answer_serves_no_other_request_and_no_other_place(tmp_path: Path, other: ChatRequest):
    with ScriptedServer() as server:
        async with Asking(tmp_path, server) as first:
            await first.chat.ask(request())
        async with Asking(tmp_path, server) as second:
            await second.chat.ask(other)
        assert len(server.requests) == 2


async def test_the_sampling_of_a_recipe_is_part_of_the_request(tmp_path: Path):
    with ScriptedServer() as server:
        async with Asking(tmp_path, server) as first:
            await first.chat.ask(request())
        async with Asking(tmp_path, server, temperature=0.1) as second:
            await second.chat.ask(request())
        assert [body["temperature"] for body in server.requests] == [0.7, 0.1]


async def test_an_unusable_answer_is_not_asked_for_again(tmp_path: Path):
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
    asked = ChatRequest(CallKey(turn=0), (Message("user", "Hello"),), Sampling(), seed=1, json_schema=schema)
    with ScriptedServer(ignore_response_format=True) as server:
        for _ in range(2):
            async with Asking(tmp_path, server) as asking:
                with pytest.raises(InvalidOutput) as caught:
                    await asking.chat.ask(asked)
                assert caught.value.reason != "content_fault"
        assert len(server.requests) == 1


async def test_an_overflow_is_replayed_as_one(tmp_path: Path):
    with ScriptedServer(context_limit=3) as server:
        for _ in range(2):
            async with Asking(tmp_path, server) as asking:
                with pytest.raises(ContextOverflow):
                    await asking.chat.ask(request("far more words than three"))
        assert len(server.requests) == 1


async def test_vectors_are_asked_for_once_a_dialogue(tmp_path: Path):
    with ScriptedServer() as server:
        async with Asking(tmp_path, server) as first:
            vectors = await first.embed.embed(["a cat", "a dog"])
        async with Asking(tmp_path, server) as second:
            again = await second.embed.embed(["a cat", "a dog"])
            assert (await second.embed.embed([])).shape[0] == 0
        assert server.log()["embedded"] == 2
    assert np.array_equal(vectors, again)


@pytest.mark.skipif(os.geteuid() != 0 and not os.access("/proc", os.W_OK), reason="needs a directory nobody may write")
def test_a_folder_that_cannot_be_made_is_a_storage_error():
    with pytest.raises(StorageError, match=r"journal /proc/overture/w.sqlite"):
        put(Path("/proc/overture"), "w", [])
