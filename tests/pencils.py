"""A lesson about pencils, whose rewards can be worked out by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from schemas.contracts import Services
from schemas.dialogue import Dialogue, Ending, Turn
from schemas.scenario import Fact, Scenario, Verifier, View


class NoEmbedder:
    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("a deterministic reward asked for embeddings")

    phrases = embed


SERVICES = Services(chat={}, embed=NoEmbedder())
COUNT = Fact(id="count", holder="teacher", slot="how many pencils", value="3", text="Mia buys 3 pencils.")
PRICE = Fact(id="price", holder="teacher", slot="the price of a pencil", value="4", text="A pencil costs 4 dollars.")
TWELVE = Verifier(kind="number", answer="12")


def lesson(
    *turns: Turn,
    facts: Sequence[Fact] = (COUNT, PRICE),
    verifier: Verifier | None = TWELVE,
    ending: str = "max_turns",
    outcome: Mapping[str, Any] | None = None,
) -> Dialogue:
    views = {
        "teacher": View(role="teacher", brief="You teach.", facts=tuple(facts)),
        "student": View(role="student", brief="You learn."),
    }
    scenario = Scenario(
        family="tutoring",
        domain="word_arithmetic",
        base_case_id="word_arithmetic.pencils",
        dialogue_id="d",
        seed=1,
        goal="solve it",
        views=views,
        verifier=verifier,
    )
    return Dialogue(
        scenario=scenario,
        turns=turns,
        ending=Ending(reason=ending),
        learner="student",
        partner="teacher",
        outcome=dict(outcome or {}),
    )
