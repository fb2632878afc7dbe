"""Plain words that templates draw from."""

from collections.abc import Sequence
from random import Random

_NAMES = """
Ada Amir Anna Ben Bella Carl Chen Dana David Ella Emil Farid Finn Grace Hana Hugo Ines Ivan Jack Jana Kofi Lara Leo
Lina Luis Maya Mia Milo Nadia Nils Noah Nora Omar Oscar Paula Petra Priya Rosa Rafi Sam Sara Sofia Tariq Tess Theo
Uma Vera Viktor Wanda Yara Yusuf Zoe
"""
NAMES = tuple(_NAMES.split())
COLOURS = ("red", "blue", "green", "yellow")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


def names(rng: Random, count: int) -> list[str]:
    return rng.sample(NAMES, count)


def listed(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
