"""The command line, for the tests of its verbs."""

import signal
import sys
from collections.abc import Callable, Iterator

import pytest

from pipelines import cli

Overture = Callable[..., tuple[int, str, str]]


@pytest.fixture
def overture(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Overture]:
    """The command line, in this process: exit code, output, complaint."""
    handler = signal.getsignal(signal.SIGTERM)

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["overture", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    yield call
    signal.signal(signal.SIGTERM, handler)
