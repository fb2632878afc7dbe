"""Folders of trials, and a server of them, for the tests of human judging."""

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from corpus_samples import row, write

from pipelines import human_judging
from pipelines.human_answers import Answers
from pipelines.human_server import application, listening, server_of
from schemas.trial import Trial

WORDS = ("river", "lamp", "garden", "train", "music", "winter", "bread", "letter", "island", "coffee", "dog", "piano")


def sentence(random: Random, least: int = 3) -> str:
    words = random.choices(WORDS, k=random.randint(least, least + 8))
    return " ".join(words).capitalize() + random.choice((".", "?", ""))


def corpus(path: Path, name: str, count: int, turns: int = 8) -> Path:
    """`count` dialogues of words at random, named `name:NUMBER`."""
    rows = []
    for number in range(count):
        random = Random(f"{name}{number}")
        said = [
            {"role": ("user", "assistant")[i % 2], "text": sentence(random), "acts": list[str]()} for i in range(turns)
        ]
        rows.append(row(number, dialogue_id=f"{name}:{number}", turns=turns) | {"turns": said})
    return write(path, rows)


def order(folder: Path, trials: int = 10, **more: object) -> human_judging.Order:
    """Ready to be prepared: a synthetic file and a reference lie beside `folder`."""
    synthetic, real = folder.parent / "synthetic.parquet", folder.parent / "real.parquet"
    if not synthetic.exists():
        corpus(synthetic, "synthetic", 40)
        corpus(real, "real", 260)
    return human_judging.Order(folder, synthetic, f"path:{real}", trials, **more)  # pyright: ignore[reportArgumentType]


@contextmanager
def serving(folder: Path, trials: Sequence[Trial]) -> Generator[str]:
    """The link, while the block lasts. The answers are written by the thread that serves, and read by others."""
    ready: list[str] = []
    listener = listening("127.0.0.1", 0)
    started = threading.Event()

    def run() -> None:
        with Answers(folder / "answers.sqlite") as answers:
            server = server_of(application(trials, answers, 7))
            ready.append(f"http://127.0.0.1:{listener.getsockname()[1]}/{answers.token()}")
            servers.append(server)
            started.set()
            server.run(sockets=[listener])

    servers: list[object] = []
    thread = threading.Thread(target=run)
    thread.start()
    started.wait(30)
    try:
        yield ready[0]
    finally:
        servers[0].should_exit = True  # pyright: ignore[reportAttributeAccessIssue]
        thread.join(30)
        listener.close()


def answered(folder: Path) -> list[tuple[str, str, str]]:
    """(rater, trial, choice), in order."""
    with Answers(folder / "answers.sqlite") as answers:
        return [(a.rater, a.trial, a.choice) for a in answers.of()]
