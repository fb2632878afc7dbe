"""Identity and randomness from content (never from order, time or process)."""

import hashlib
from random import Random
from typing import Any

import orjson


def stable_hash(*parts: Any, bits: int = 128) -> str:
    """Hex digest of JSON-representable parts; the same on every machine and in every process."""
    data = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=bits // 8).hexdigest()


def derive(seed: int, *names: Any) -> int:
    """A 63-bit seed for the draw named by `names` under `seed` (servers refuse seeds of 2**63 and more)."""
    return int(stable_hash(seed, *names, bits=64), 16) >> 1


def rng(seed: int, *names: Any) -> Random:
    return Random(derive(seed, *names))
