import asyncio
from functools import partial

import pytest

from pipelines.together import together
from schemas.errors import DataError


async def test_answers_come_in_the_order_of_the_questions_and_some_are_asked_at_once() -> None:
    running, most = 0, 0

    async def one(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        for _ in range(10 - number):  # later questions are answered sooner
            await asyncio.sleep(0)
        running -= 1
        return number

    told: list[str] = []
    found = await together([partial(one, n) for n in range(10)], "questions", told.append, at_once=3, parts=2)
    assert found == list(range(10))
    assert most == 3
    assert told == ["questions: 5 of 10", "questions: 10 of 10"]


async def test_an_error_of_ours_comes_out_as_it_is() -> None:
    async def fails() -> None:
        raise DataError("no such file")

    with pytest.raises(DataError, match="no such file"):
        await together([fails, fails], "questions", lambda line: None, at_once=2, parts=1)


async def test_no_question_has_no_answer() -> None:
    assert await together([], "questions", lambda line: pytest.fail(line), at_once=2, parts=1) == []
