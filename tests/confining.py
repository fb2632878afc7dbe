"""Whether programs of models can be run on this machine."""

from functools import cache

from pipelines.confined import passes
from schemas.errors import RunError


@cache
def confines() -> bool:
    try:
        passes("", "")
    except RunError:
        return False
    return True
