"""Does a model work on common ground where people do (methods §22)?

    python benchmarks/grounding_model.py [CORPORA] --model recipes/quickstart.yaml [--dialogues 40] [--out FOLDER]

At one drawn turn of each real dialogue the model says what comes next, after what people had said; both are read by the
rules of `rewards.grounding_acts`. Per corpus and prompt: the share of grounding acts of the model and of people at the
same turns, Cohen's kappa of the acts at the same turn, and kappa with what people did in another dialogue of the
corpus, which is what placement by chance earns. 95% intervals, bootstrapped over dialogues. `expert` tells the model to
check and follow up what it hears; `plain` does not. FOLDER keeps what was said (grounding_model.jsonl).
"""

import argparse
import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import numpy as np
import orjson
from rich.console import Console

from inference.client import Connections, HttpChatModel
from pipelines.calibration import bootstrapped
from pipelines.dialogue_files import read_dialogues
from pipelines.display import Display
from pipelines.engines import Server, model_server
from pipelines.recipe import load
from pipelines.together import together
from rewards.grounding_acts import Act, grounding_acts, kappa
from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.dialogue import Dialogue, Turn
from schemas.identity import derive, rng
from schemas.judgement import shown

SITUATIONS: Mapping[str, str] = {
    "negotiation__persuasion_for_good": "You talk with somebody and would like them to give to a charity for children.",
    "pedagogy__mathdial": "You teach a student who got a problem wrong. You do not tell the answer.",
    "recommendation__ccpe": "You ask somebody what movies they like and why.",
    "expert_intake__primock57": "You are a doctor and ask a patient about what troubles them.",
}
PROMPTS: Mapping[str, str] = {
    "plain": "Say what you say next, in one or two sentences, and nothing else.",
    "expert": "You listen like an expert: where something is unclear you check it, and you follow up what you are told."
    " Say what you say next, in one or two sentences, and nothing else.",
}
HISTORY, EARLIEST = 6, 3
"""Messages shown; the first turn that is asked for."""
SAMPLING = Sampling(temperature=0.7, max_tokens=70)
SEED = 7


class Place(NamedTuple):
    """A turn of a person whose words the model is asked for."""

    dialogue: Dialogue
    turn: int

    @property
    def human(self) -> Act:
        return grounding_acts(self.dialogue.turns)[self.turn] or "none"

    def read(self, said: str) -> Act:
        turn = self.dialogue.turns[self.turn].model_copy(update={"text": said, "acts": ()})
        return grounding_acts([*self.dialogue.turns[: self.turn], turn])[-1] or "none"


def places(file: Path, limit: int) -> list[Place]:
    """One turn of each of the first dialogues, drawn among the learner's that answer something."""
    found: list[Place] = []
    for record in islice(read_dialogues(file), limit):
        turns = record.dialogue.turns
        open_to = [n for n in range(EARLIEST, len(turns)) if _answers(record.dialogue, n)]
        if open_to:
            found.append(Place(record.dialogue, rng(SEED, record.dialogue.id).choice(open_to)))
    return found


def _answers(dialogue: Dialogue, n: int) -> bool:
    turn, before = dialogue.turns[n], dialogue.turns[n - 1]
    return turn.role == dialogue.learner and bool(turn.text) and before.role != turn.role and bool(before.text)


def _messages(place: Place, situation: str, prompt: str) -> tuple[Message, ...]:
    shown = [t for t in place.dialogue.turns[: place.turn] if t.text][-HISTORY:]
    said = [Message(_side(place.dialogue, t), t.text or "") for t in shown]
    return (Message("system", f"{situation} {prompt}"), *said)


def _side(dialogue: Dialogue, turn: Turn) -> str:
    return "assistant" if turn.role == dialogue.learner else "user"


async def _said(chat: HttpChatModel, place: Place, situation: str, name: str) -> str:
    messages = _messages(place, situation, PROMPTS[name])
    seed = derive(SEED, place.dialogue.id, name)
    reply = await chat.ask(ChatRequest(CallKey(place.turn, f"grounding/{name}"), messages, SAMPLING, seed))
    return " ".join(reply.text.split())


def row(title: str, theirs: Sequence[Act], ours: Sequence[Act], ids: Sequence[str]) -> str:
    """Base rates, kappa at the same turn, kappa with the next dialogue's person."""

    def of(figure: Callable[[np.ndarray], float]) -> str:
        found = bootstrapped(figure, ids, derive(SEED, title))
        return shown(found)

    human, model = (np.array([a != "none" for a in acts], float) for acts in (theirs, ours))
    dealt = [*theirs[1:], theirs[0]]
    cells = [
        of(lambda i: float(human[i].mean())),
        of(lambda i: float(model[i].mean())),
        of(lambda i: kappa([ours[n] for n in i], [theirs[n] for n in i])),
        of(lambda i: kappa([ours[n] for n in i], [dealt[n] for n in i])),
    ]
    return f"| {title} | {len(ids)} | {' | '.join(cells)} |"


async def report(corpora: Path, limit: int, chat: HttpChatModel, out: Path) -> None:
    print("| corpus, prompt | n | people's base rate | the model's | kappa | kappa by chance |\n" + "|---" * 6 + "|")
    every: dict[str, list[tuple[Act, Act, str]]] = {name: [] for name in PROMPTS}
    with (out / "grounding_model.jsonl").open("wb") as file:
        for corpus, situation in SITUATIONS.items():
            asked = places(corpora / f"{corpus}.parquet", limit)
            ids = [p.dialogue.id for p in asked]
            for name in PROMPTS:
                work = [partial(_said, chat, place, situation, name) for place in asked]
                said = await together(work, f"{corpus}, {name}", Console(stderr=True).print, at_once=8, parts=4)
                theirs, ours = [p.human for p in asked], [p.read(s) for p, s in zip(asked, said, strict=True)]
                for place, text, human, model in zip(asked, said, theirs, ours, strict=True):
                    line = {"corpus": corpus, "prompt": name, "id": place.dialogue.id, "turn": place.turn}
                    person = place.dialogue.turns[place.turn].text
                    file.write(orjson.dumps({**line, "person": person, "did": human, "model": text, "does": model}))
                    file.write(b"\n")
                every[name] += zip(theirs, ours, ids, strict=True)
                print(row(f"{corpus.split('__')[1]}, {name}", theirs, ours, ids), flush=True)
    for name, rows in every.items():
        theirs, ours, ids = map(list, zip(*rows, strict=True))
        print(row(f"all, {name}", theirs, ours, ids))


async def _ask(given: argparse.Namespace, server: Server, out: Path) -> None:
    async with Connections() as connections:
        await report(given.corpora, given.dialogues, connections.chat(*server.endpoints), out)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", type=Path, nargs="?", metavar="CORPORA")
    parser.add_argument("--model", type=Path, help="a recipe; the model of its first family's learner is asked")
    parser.add_argument("--dialogues", type=int, default=40, help="of each corpus")
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    if given.corpora is None or given.model is None:
        parser.print_help()
        return
    recipe = load(given.model)
    name = recipe.roles[recipe.families[0].family.learner]
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        display = stack.enter_context(Display(recipe, Console(stderr=True)))
        server = stack.enter_context(model_server(name, recipe.models[name], folder, display))
        asyncio.run(_ask(given, server, given.out or folder))


if __name__ == "__main__":
    main()
