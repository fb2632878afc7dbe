"""Every built-in reward has a row in its page."""

import re
from pathlib import Path

from pipelines.recipe_stages import builtin
from schemas.contracts import Reward

PAGE = Path(__file__).parents[2] / "docs" / "rewards.md"
RENAMED = {"answer_logprob": "answer_logprob_after_turn"}
"""File of a reward -> what it is called in rows, where that is not the same."""


def test_the_page_has_a_row_for_each_reward():
    rows = set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE))
    files = {reward.__module__.rpartition(".")[2] for reward in builtin(Reward)}
    assert {RENAMED.get(name, name) for name in files} <= rows
