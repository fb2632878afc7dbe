from io import StringIO

import pytest
from dialogue_samples import conversation, tutoring
from rich.console import Console
from textual.widgets import Input, OptionList, Static

from outputs.browser import DialogueBrowser
from outputs.render import render_dialogue
from schemas.judgement import Selection
from schemas.record import Record


def printed(record: Record, width: int = 60) -> str:
    console = Console(file=StringIO(), width=width, color_system=None)
    console.print(render_dialogue(record))
    return console.file.getvalue()  # pyright: ignore


def records() -> list[Record]:
    return [tutoring(0), tutoring(1, "reactive"), conversation(2), conversation(3, text="My cat sleeps.")]


def page(app: DialogueBrowser) -> str:
    console = Console(file=StringIO(), width=80, color_system=None)
    console.print(app.query_one("#dialogue", Static).content)
    return console.file.getvalue()  # pyright: ignore


def test_a_printed_dialogue_holds_every_turn_its_labels_and_its_worth():
    text = printed(tutoring())
    for words in (
        "tutoring · proactive student",
        "teacher  One pencil costs forty-one cents.",
        "disclose → hint · discloses f1",
        "(silent)",
        "[The bell rings.]",
        "answer 123 (right) · topic=prices",
        "ended: goal_reached",
        "success 1",
        "saving missing (no_sibling)",
    ):
        assert words in text


def test_a_dropped_dialogue_says_why():
    record = tutoring().model_copy(update={"selection": Selection(keep=False, reason="near_duplicate")})
    assert "dropped: near_duplicate" in printed(record)


def test_what_was_weighed_is_not_printed_and_faults_are_named():
    record = tutoring()
    labels = {
        "actions": [{"type": "ask", "probability": 0.7}],
        "delta": {"trust": 1},
        "faults": [{"kind": "restart", "detail": "hello again"}],
        "candidates": 3,
    }
    turns = (record.dialogue.turns[0].model_copy(update={"labels": labels}), *record.dialogue.turns[1:])
    text = printed(record.model_copy(update={"dialogue": record.dialogue.model_copy(update={"turns": turns})}))
    assert "fault restart" in text and "candidates=3" in text
    assert not any(word in text for word in ("actions", "probability", "delta", "hello again"))


def test_long_words_are_wrapped_and_kept_whole():
    lines = printed(conversation(text="word " * 40), width=50).splitlines()
    assert max(map(len, lines)) <= 50
    assert sum(line.count("word") for line in lines) == 40


def test_words_cannot_steer_the_terminal_or_be_taken_for_markup():
    text = printed(conversation(text="\x1b[31mred\x07 [bold]not bold[/bold]"))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "[bold]not bold[/bold]" in text


async def test_keys_move_through_the_list_and_the_page_follows():
    app = DialogueBrowser(records())
    async with app.run_test() as pilot:
        await pilot.pause()
        assert "What does one pencil cost? (0)" in page(app)
        await pilot.press("j", "down")
        assert app.query_one("#dialogues", OptionList).highlighted == 2
        assert "I walk my dog each day." in page(app)
        await pilot.press("k")
        assert "What does one pencil cost? (1)" in page(app)


async def test_f_goes_through_the_families_and_back_to_all():
    app = DialogueBrowser(records())
    async with app.run_test() as pilot:
        listed = app.query_one("#dialogues", OptionList)
        await pilot.press("f")
        assert (app.family, listed.option_count) == ("conversation", 2)
        assert "I walk my dog each day." in page(app)
        await pilot.press("f")
        assert (app.family, listed.option_count) == ("tutoring", 2)
        await pilot.press("f")
        assert (app.family, listed.option_count) == (None, 4)


async def test_slash_searches_the_words_and_escape_shows_all():
    app = DialogueBrowser(records())
    async with app.run_test() as pilot:
        listed = app.query_one("#dialogues", OptionList)
        await pilot.press("slash", *"Cat S", "enter")
        assert [r.dialogue.id for r in app.shown] == [conversation(3).dialogue.id]
        assert "My cat sleeps." in page(app)
        assert app.focused is listed
        await pilot.press("escape")
        assert listed.option_count == 4
        await pilot.press("slash", *"qf", "enter")
        assert app.query_one("#search", Input).value == ""
        assert "No dialogue matches" in page(app)


async def test_q_quits():
    app = DialogueBrowser(records())
    async with app.run_test() as pilot:
        await pilot.press("q")
    assert app.return_code == 0


@pytest.mark.parametrize("size", [(40, 12), (120, 40)])
async def test_an_empty_list_is_no_error(size: tuple[int, int]):
    app = DialogueBrowser([])
    async with app.run_test(size=size) as pilot:
        await pilot.press("j", "k", "f")
        assert "No dialogue matches" in page(app)
