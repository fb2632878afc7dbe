"""Questions to a model: some at once, the answers in the order of the questions."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import count
from typing import TypeVar

from pipelines.display import Say
from pipelines.worker import first_error

T = TypeVar("T")


async def together(
    work: Sequence[Callable[[], Awaitable[T]]], what: str, say: Say, *, at_once: int, parts: int
) -> list[T]:
    """`at_once` at a time, what is done told after each of `parts`. Raises the first error of ours."""
    limit, done = asyncio.Semaphore(at_once), count(1)

    async def one(make: Callable[[], Awaitable[T]]) -> T:
        async with limit:
            found = await make()
        n = next(done)
        if n * parts // len(work) != (n - 1) * parts // len(work):
            say(f"{what}: {n} of {len(work)}")
        return found

    try:
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(one(make)) for make in work]
    except BaseExceptionGroup as several:
        raise first_error(several) from None
    return [task.result() for task in running]
