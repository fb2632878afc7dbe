"""The command line: where every failure becomes one message and its exit code. The commands are in the `cli_*` files;
a command's module is imported when it is called, so that `--help` answers at once (the one exception to imports at the
top).
"""

import errno
import signal
import sys
import tempfile
import traceback
from typing import Any

import typer

from pipelines import cli_data, cli_labels, cli_runs, cli_sharing
from pipelines.environment import quiet
from schemas.errors import EXIT_INTERRUPTED, OvertureError, StorageError

app = typer.Typer(
    name="overture",
    help="Makes the dialogues that teach a language model to take the initiative.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.add_typer(cli_runs.app)
app.add_typer(cli_data.app)
app.add_typer(cli_labels.app)
app.add_typer(cli_sharing.app)

_STORAGE = frozenset({errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EPERM})


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    quiet()
    signal.signal(signal.SIGTERM, _interrupt)
    sys.exit(_guarded())


def _guarded() -> int:
    """The one boundary: every failure becomes one message and its exit code."""
    try:
        code = app(standalone_mode=False) or 0
        return _interrupted() if code == EXIT_INTERRUPTED else code  # typer turns KeyboardInterrupt into this code
    except typer.TyperException as error:
        return _fail(f"{error.format_message()} (overture --help lists the commands)", error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted()
    except OvertureError as error:
        return _fail(str(error), error.exit_code)
    except OSError as error:
        if error.errno in _STORAGE:
            return _fail(
                f"{error.filename}: {error.strerror}; free space or mend permissions, then run again",
                StorageError.exit_code,
            )
        return _bug(error)
    except Exception as error:  # noqa: BLE001 - the boundary
        return _bug(error)


def _interrupted() -> int:
    told = "interrupted; nothing answered is lost, the same command goes on where this one stopped"
    return _fail(told, EXIT_INTERRUPTED)


def _fail(message: str, code: int) -> int:
    typer.echo(f"overture: {message}", err=True)
    return code


def _bug(error: Exception) -> int:
    with tempfile.NamedTemporaryFile("w", prefix="overture-", suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return _fail(f"a bug of ours ({type(error).__name__}: {error}); please report it with {file.name}", 1)


if __name__ == "__main__":
    main()
