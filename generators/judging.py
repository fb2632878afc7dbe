"""A model that reads messages for the program: the role `judge`, which a recipe may give a model other than the
simulators'. One structured call a message: which of some things it asks about, or tells. Where no model has the role,
words and embeddings alone decide.
"""

from collections.abc import Sequence
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import ConfigDict, Field, create_model

from schemas.chat import CallKey, ChatRequest, Message, Sampling
from schemas.contracts import JUDGE, Services
from schemas.errors import ContentError
from schemas.identity import stable_hash

Reading = Literal["asks", "tells"]


class _Wording(NamedTuple):
    system: str
    question: str
    examples: tuple[tuple[str, tuple[str, ...], str], ...]
    """Message, things, answer."""


_WORDINGS: dict[Reading, _Wording] = {
    "asks": _Wording(
        "You read a message and say which of the listed things it asks about, in whatever words. Most messages ask"
        " about one thing or none.",
        "Which numbers does the message ask about?",
        (
            ("so roughly what can you spend?", ("which colour it should have", "the price"), '{"numbers": [2]}'),
            ("I would take the blue one.", ("which colour it should have", "the price"), '{"numbers": []}'),
        ),
    ),
    "tells": _Wording(
        "You read a message and say which of the listed things it gives away, in whatever words. Most messages give"
        " away none: what is only close to a thing, or could mean another, does not give it away.",
        "Which numbers does the message give away?",
        (
            ("ok but my wallet is nearly empty", ("it should be blue", "it must be cheap"), '{"numbers": [2]}'),
            ("hm what else is there?", ("it should be blue", "it must be cheap"), '{"numbers": []}'),
        ),
    ),
}
_SAMPLING = Sampling(temperature=0.0, max_tokens=40)


async def read(kind: Reading, text: str, things: Sequence[str], services: Services) -> list[int] | None:
    """Places of the things that a message asks about or tells; None without a judge, or when it gave no answer."""
    if JUDGE not in services.chat or not things:
        return None
    wording = _WORDINGS[kind]
    messages = [Message("system", wording.system)]
    for said, listed, answer in wording.examples:
        messages += [Message("user", _shown(wording, said, listed)), Message("assistant", answer)]
    messages.append(Message("user", _shown(wording, text, things)))
    request = ChatRequest(
        key=CallKey(turn=-1, step=f"{kind}/{stable_hash(text, list(things))[:16]}"),
        messages=tuple(messages),
        sampling=_SAMPLING,
        seed=0,
        json_schema=_schema(len(things)),
    )
    try:
        reply = await services.chat[JUDGE].ask(request)
    except ContentError:
        return None
    return sorted({int(number) - 1 for number in reply.data["numbers"]})


def _shown(wording: _Wording, text: str, things: Sequence[str]) -> str:
    listed = "\n".join(f"{n}. {thing}" for n, thing in enumerate(things, 1))
    return f"{listed}\nMessage: {text}\n{wording.question}"


@cache
def _schema(things: int) -> dict[str, Any]:
    place: Any = Literal[tuple(range(1, things + 1))]
    numbers: Any = Annotated[list[place], Field(max_length=things)]
    return create_model("Numbers", __config__=ConfigDict(extra="forbid"), numbers=numbers).model_json_schema()
