"""Every error a user can meet, and the exit code it ends in.

    OvertureError                         1  our bug, when nothing more exact was raised
    ├── InputError                        2  what was given cannot be used
    │   ├── RecipeError                      a recipe: unknown key, stage, type, or missing file
    │   ├── DataError                        a Parquet file, a reference, a problem file
    │   └── RunError                         a run directory: in use, or of another generation fingerprint
    ├── ServerError                       4  a model server could not be used
    │   ├── Unreachable                      no connection, or it died while answering and did not come back
    │   ├── Refused                          401, 403, 404, or a 400 that no retry mends
    │   └── NoStructuredOutput               the server answers a JSON-schema request with something else
    ├── ContentError                      -  one answer is unusable; asked again, then the dialogue ends as a fault
    │   ├── ContextOverflow                  the prompt does not fit the model's context
    │   ├── InvalidOutput                    an answer that fails its schema or its checks, or a refusal
    │   └── Unanswered                       one request that meets only faults while others are answered
    └── StorageError                      5  disk full, read-only, permission

Infrastructure faults (ServerError), content faults (ContentError) and waiting are three different things; waiting is
never an error.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class OvertureError(Exception):
    """One clear message: what, where, what to do."""

    exit_code = 1


class InputError(OvertureError):
    exit_code = 2


class RecipeError(InputError):
    pass


class DataError(InputError):
    pass


class RunError(InputError):
    pass


class ServerError(OvertureError):
    exit_code = 4


class Unreachable(ServerError):
    pass


class Refused(ServerError):
    """`kind`: not_found, unauthenticated, forbidden, unprocessable, connection (no TLS) or bad_request."""

    def __init__(self, message: str, kind: str = "bad_request"):
        super().__init__(message)
        self.kind = kind


class NoStructuredOutput(ServerError):
    pass


class ContentError(OvertureError):
    """`reason` is a snake_case word that ends up in the funnel."""

    def __init__(self, message: str, reason: str = "content_fault"):
        super().__init__(message)
        self.reason = reason
        self.reply: Any = None
        """The ChatReply that is unusable, paid for all the same; None where none came."""


class ContextOverflow(ContentError):
    def __init__(self, message: str):
        super().__init__(message, "context_overflow")


class InvalidOutput(ContentError):
    pass


class Unanswered(ContentError):
    def __init__(self, message: str):
        super().__init__(message, "unanswered")


class StorageError(OvertureError):
    exit_code = 5


EXIT_SHORT = 3
EXIT_INTERRUPTED = 130


def did_you_mean(wrong: str, valid: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the nearest valid name, else the list of valid ones."""
    names = sorted(valid)
    near = get_close_matches(wrong, names, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; valid: {', '.join(names)}"
