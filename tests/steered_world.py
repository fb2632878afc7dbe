"""A world whose real people are known: two habits of a user follow what they are drawn as, one follows only the model.

Each of the user's messages asks or tells, thanks or does not, is loud or is not. Of real people half of the messages
do; of the family's as it is fitted, and of the scripted model's loudness whatever it is told, a fifth: total variation
.3 on three heads, one of which no latent can move.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import orjson
import yaml
from corpus_samples import row, write

from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import derive
from schemas.scenario import Scenario, View

HABITS = ("asks", "thanks")
FITTED, REAL = 0.2, 0.6
"""Shares of persons with a habit."""
OFTEN, SELDOM = 0.8, 0.05
"""How often a message shows it, of those who have it and of the others."""
MESSAGES = 3
_PLACES = ("harbour", "market", "library", "station", "valley", "museum", "bakery", "island", "forest", "theatre")
_THINGS = ("guitar", "kettle", "bicycle", "novel", "jacket", "camera", "puzzle", "lamp", "record", "ladder")


def recipe(folder: Path, url: str, groups: int, **changes: Any) -> Path:
    """Groups of this world matched to `real.parquet` of the folder (`reference`), which lies there already. `url`: of
    the scripted server.
    """
    model = {"use": "remote", "base_url": url, "model": "scripted"}
    data = {
        "name": "loop",
        "target": 2 * groups,
        "families": [{"use": "steered_world.World", "reference": f"path:{folder / 'real.parquet'}"}],
        "models": {"default": model},
        "embedder": model,
        "filters": ["filters.schema_and_length.LengthBounds"],
        "selectors": ["filters.distribution_match.DistributionMatch"],
        "discriminators": ["discriminators.head_logistic.HeadLogistic"],
        "rewards": ["rewards.success.Success"],
        "drift": 1.0,
        **changes,
    }
    path = folder / "loop.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def message(shows: Mapping[str, bool], rng: Random) -> str:
    """One message: of the same length whatever it shows."""
    thing, place = rng.choice(_THINGS), rng.choice(_PLACES)
    start = "Thanks" if shows["thanks"] else "Well"
    middle = f"have you seen the {thing}?" if shows["asks"] else f"there stands the {thing}."
    return f"{start}, {middle} The {place} was there today{'!' if shows['loud'] else '.'}"


def shown(habits: Mapping[str, bool], rng: Random) -> dict[str, bool]:
    return {name: rng.random() < (OFTEN if has else SELDOM) for name, has in sorted(habits.items())}


def follows(body: dict[str, Any]) -> str:
    """The scripted model: it has the habits it is told, and some of those it plays are loud, whatever it is told."""
    told = orjson.loads(body["messages"][-1]["content"])
    rng = Random(f"{body['seed']}/{told}")
    loud = Random(told["who"]).random() < FITTED
    return message(shown({**{name: told[name] for name in HABITS}, "loud": loud}, rng), rng)


class WorldUser(Speaker):
    """Tells the model its habits, and says what it says."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        told = Message("user", orjson.dumps({**move.labels, "turn": len(turns)}).decode())
        request = ChatRequest(CallKey(len(turns)), (told,), Sampling(), derive(seed, "user", len(turns)))
        reply = await services.chat["user"].ask(request)
        return Turn(role="user", text=reply.text, intent_requested=move.intent, model=reply.model)


class WorldAssistant(Speaker):
    """Says what its move says."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        return Turn(role="assistant", text=move.verbatim, intent_requested=move.intent, model="program")


class World(Family):
    """People who ask, thank and are loud more or less often."""

    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"assistant": WorldAssistant(), "user": WorldUser()}

    def sample(self, rng: Random) -> Scenario:
        return Scenario(
            family=self.name(),
            domain="world",
            base_case_id=f"world/{rng.random()}",
            seed=0,
            goal="a chat",
            views={role: View(role=role, brief="You chat.") for role in ("user", "assistant")},
            session_latents={name: rng.random() < FITTED for name in HABITS},
        )

    def traits(self, scenario: Scenario) -> Mapping[str, str]:
        return {name: str(bool(scenario.session_latents[name])) for name in HABITS}

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if len(turns) == 2 * MESSAGES:
            return Ending(reason="max_turns")  # nobody chose it: how soon users leave is not asked
        if len(turns) % 2:
            told = {name: scenario.session_latents[name] for name in HABITS}
            return Move(role="user", intent="says", labels={**told, "who": scenario.base_case_id})
        draws = Random(f"{scenario.seed}/{scenario.policy}/{len(turns)}")
        asks = scenario.policy == "proactive"
        words = f"Did you see the {draws.choice(_PLACES)}?" if asks else f"I saw the {draws.choice(_PLACES)}."
        return Move(role="assistant", intent="says", verbatim=words)

    def outcome(self, scenario: Scenario, turns: Sequence[Turn], ending: Ending) -> dict[str, Any]:
        return {"success": scenario.policy == "proactive"}


def reference(path: Path, dialogues: int) -> Path:
    """Real people of this world, as a corpus."""
    rows: list[dict[str, Any]] = []
    for number in range(dialogues):
        rng = Random(f"real{number}")
        habits = {name: rng.random() < REAL for name in (*HABITS, "loud")}
        turns: list[dict[str, Any]] = []
        for _ in range(2 * MESSAGES):  # they go on for longer, and are cut
            words = rng.choice((f"Did you see the {rng.choice(_PLACES)}?", f"I saw the {rng.choice(_PLACES)}."))
            turns.append({"role": "assistant", "text": words, "acts": []})
            turns.append({"role": "user", "text": message(shown(habits, rng), rng), "acts": []})
        rows.append(row(number, dialogue_id=f"world:{number}", turns=len(turns)) | {"turns": turns})
    write(path, rows)
    return path
