"""What counts as an answer in free words."""

import pytest

from generators.tasks.answers import read_answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("Answer: 12", "12"),
        ("The answer is $1,200.50.", "$1,200.50"),
        ("6 boxes of 2 kilos.\n**Answer:** -3", "-3"),
        ("Answer: 6 * 2 = 12", "12"),
        ("So the answer is 12 (6 times 2).", "12"),
        ("They weigh 12 kilos.", "12"),
        ("6 boxes of 2 kilos weigh 12 kilos.", None),
        ("Are there 12 boxes?", None),
        ("Answer: I don't know", None),
        ("I need one more thing.", None),
    ],
)
def test_a_number_is_an_answer_where_it_is_marked_or_alone_in_a_message_that_asks_nothing(
    text: str, answer: str | None
):
    assert read_answer(text, "number") == answer


def test_choices_dates_and_sets_are_read_likewise():
    names = ("Anna", "Ben")
    assert read_answer("It must be Ben.", "choice", names) == "Ben"
    assert read_answer("Anna or Ben, who knows.", "choice", names) is None
    assert read_answer("Answer: Ben, not Anna", "choice", names) == "Ben"
    assert read_answer("The answer is 2024-03-01.", "date") == "2024-03-01"
    assert read_answer("Answer: Anna, Ben.", "set") == "Anna, Ben"
    assert read_answer("Anna and Ben", "set") is None


def test_a_program_is_the_last_fenced_block():
    both = "First ```python\nx = 1\n``` no, rather:\n```\nx = 2\n```"
    assert read_answer(both, "python") == "x = 2" and read_answer("I use `x = 1`.", "python") is None
