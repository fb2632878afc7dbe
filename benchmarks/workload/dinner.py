"""The work of the inference benchmarks: two guests talk, every turn one request with the whole history before it.

About 0.8 KB of prompt a request at 8 turns: a shared instruction, a persona, what was said.
"""

from collections.abc import Mapping, Sequence
from random import Random
from typing import ClassVar

from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import Family, Services, Speaker
from schemas.dialogue import Ending, Move, Turn
from schemas.identity import derive
from schemas.scenario import Scenario, View

SHARED = (
    "You are a guest at a long dinner and speak in short, friendly sentences about daily life. You listen to what the "
    "other guest says, you take it up, and you never say the same thing twice. Nobody is in a hurry this evening. "
)
TRADES = ("baker", "pilot", "nurse", "clerk", "potter", "sailor", "teacher", "gardener")
TOWNS = ("the harbour", "a small village", "the old town", "the mountains", "the suburbs", "an island")


def persona(rng: Random, number: int) -> str:
    return f"You are guest {number}, a {rng.choice(TRADES)} from {rng.choice(TOWNS)}, {rng.randint(20, 80)} years old."


class Guest(Speaker):
    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        roles = ("assistant", "user")
        history = (Message(roles[t.role != view.role], t.text or "") for t in turns)
        opening = (Message("user", "Please begin."),) if len(turns) % 2 == 0 else ()
        key = CallKey(turn=len(turns))
        request = ChatRequest(
            key=key,
            messages=(Message("system", SHARED + view.brief), *opening, *history),
            sampling=Sampling(),
            seed=derive(seed, view.role, key.turn),
        )
        reply = await services.chat[view.role].ask(request)
        return Turn(
            role=view.role,
            text=reply.text,
            intent_requested=move.intent,
            model=reply.model,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
        )


class Dinner(Family):
    learner: ClassVar[str] = "assistant"
    partner: ClassVar[str] = "user"
    speakers: ClassVar[Mapping[str, Speaker]] = {"user": Guest(), "assistant": Guest()}

    turns: int = 8
    """Fewest turns."""
    most_turns: int = 8
    """The length of a dialogue is drawn between the two."""

    def sample(self, rng: Random) -> Scenario:
        number = rng.randint(0, 2**40)
        return Scenario(
            family=self.name(),
            domain="dinner",
            base_case_id=f"dinner/{number}",
            seed=0,
            goal="talk",
            views={role: View(role=role, brief=persona(rng, number)) for role in ("user", "assistant")},
            session_latents={"patience": rng.random(), "style": rng.choice(("short", "long"))},
            max_turns=rng.randint(self.turns, self.most_turns),
        )

    def next(self, scenario: Scenario, turns: Sequence[Turn]) -> Move | Ending:
        if len(turns) >= scenario.max_turns:
            return Ending(reason="max_turns")
        return Move(role=("user", "assistant")[len(turns) % 2], intent="talk")
