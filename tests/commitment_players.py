"""For the commitment suite: a scripted user that says anything at all, and a family whose users hold no facts."""

import random
from typing import Any

from scripted_players import obey
from scripted_replies import digest

from generators.domains.recommendation import load
from generators.families.recommendation import Recommendation
from schemas.scenario import Scenario

_SAID = [said for slot in load("films").slots.values() for value in slot.values.values() for said in value]


def wavers(body: dict[str, Any]) -> str | dict[str, Any]:
    """Obeys as the assistant; as the user it wants anything that anybody wants."""
    if "rewrite" not in str(body["messages"][0]["content"]) and "Robin" not in str(body["messages"][0]["content"]):
        return obey(body)
    return random.Random(digest(body["messages"], body.get("seed"))).choice(_SAID)


class Factless(Recommendation):
    """Its users are told nothing."""

    def sample(self, rng: random.Random) -> Scenario:
        scenario = super().sample(rng)
        user = scenario.views["user"].model_copy(update={"facts": ()})
        return scenario.model_copy(update={"views": {**scenario.views, "user": user}})
