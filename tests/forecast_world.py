"""A world whose probabilities are known: a shopper is patient or not, shows it in how warm they answer, and buys
accordingly. What a reader should believe at each turn follows from Bayes' rule.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any, ClassVar

from generators.speakers.verbatim import Verbatim
from schemas.contracts import Family, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import rng
from schemas.scenario import Scenario, View

PATIENT = 0.5
"""How many are."""
WARM = {True: 0.75, False: 0.35}
"""How often a message is warm, by patience."""
BUYS = {True: 0.85, False: 0.15}
QUESTIONS = ("would blue be fine", "is it for you", "shall it be large", "do you need a bag")


class Shop(Family):
    """A shopper who may buy; learner: assistant, partner: user."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": Verbatim(), "user": Verbatim()}

    def sample(self, rng: Random) -> Scenario:
        patient = rng.random() < PATIENT
        return Scenario(
            family=self.name(),
            domain="shop",
            base_case_id=f"shop/{rng.randrange(4)}",
            seed=0,
            goal="the shopper buys",
            views={
                "assistant": View(role="assistant", brief="You keep a shop."),
                "user": View(role="user", brief="You look for a coat."),
            },
            session_latents={"patient": patient},
        )

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if len(turns) == scenario.max_turns:
            return Ending(reason="goal_reached" if self._buys(scenario) else "gave_up", by="user")
        if len(turns) % 2 == 0:
            question = QUESTIONS[len(turns) // 2 % len(QUESTIONS)]
            return Move(role="assistant", intent="ask", instruction=f"ask: {question}?")
        draws = rng(scenario.seed, "warm", len(turns))
        warm = draws.random() < WARM[bool(scenario.session_latents["patient"])]
        words = draws.choice(("oh yes please", "sure why not") if warm else ("dunno", "hm whatever"))
        return Move(role="user", intent="warm" if warm else "cold", verbatim=words)

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        return {"success": ending.reason == "goal_reached"}

    def _buys(self, scenario: Scenario) -> bool:
        return rng(scenario.seed, "buys").random() < BUYS[bool(scenario.session_latents["patient"])]


def believed(turns: Sequence[Turn]) -> float:
    """The probability that they buy, given what was seen."""
    patient, hasty = PATIENT, 1 - PATIENT
    for turn in turns:
        if turn.role == "user":
            warm = turn.intent_requested == "warm"
            patient *= WARM[True] if warm else 1 - WARM[True]
            hasty *= WARM[False] if warm else 1 - WARM[False]
    return (patient * BUYS[True] + hasty * BUYS[False]) / (patient + hasty)
