"""What sentences of somebody who asks for something mean, by examples. An answer is near to what the domain file
answers; the rest is learnt: ridge regression of a sentence's vector on what it does, from `asker_acts.yaml` and the
domain files.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal, NamedTuple

import yaml

from generators.domains.outreach import OutreachDomain, load
from generators.domains.small_talk import TOPICS
from generators.latents.mind import State
from schemas.contracts import Services

if TYPE_CHECKING:
    import numpy as np

Act = Literal["openly", "commits", "flatters", "pressures", "promises", "injects", "other"]

SAME_ANSWER = 0.45
"""Cosine similarity from which a sentence gives an answer; all three are chosen on the cases of
`tests/generators/appraisal_cases.yaml` that are not `fresh`.
"""
RIDGE = 0.2
"""Of the regression."""
LEAST = 0.35
"""How much of a meaning a sentence must have, about in [0, 1]."""


class Meant(NamedTuple):
    answers: tuple[str, ...] = ()
    """Ids of answers to what has come out."""
    asked: tuple[str, ...] = ()
    """Names of concerns."""
    acts: frozenset[Act] = frozenset()


class _Class(NamedTuple):
    act: Act = "other"
    asks: str = ""
    """A concern; empty: it does `act`."""


async def meant_by(
    statements: Sequence[str],
    questions: Sequence[str],
    domain: OutreachDomain,
    state: State,
    known: Collection[str],
    services: Services,
) -> Meant:
    """What each sentence means most of what it can: only a question asks; only a statement answers what has come out,
    with a fact among `known`; only after a refusal something is pressure.
    """
    sentences = [*((s, True) for s in questions), *((s, False) for s in statements)]
    if not sentences:
        return Meant()
    classes, weights = await _learnt(domain.name, services)
    vectors = await services.embed.embed([s for s, _ in sentences])
    out = [a for c in state.those("hinted", "voiced") for a in domain.concerns[c].answers if a.id in known]
    told = await services.embed.phrases([a.text for a in out]) if out else None
    answers, asked, acts = list[str](), list[str](), set[Act]()
    for (_, question), vector, row in zip(sentences, vectors, (vectors @ weights).tolist(), strict=True):
        if told is not None and not question and (near := told @ vector).max() >= SAME_ANSWER:
            answers.append(out[int(near.argmax())].id)
            continue
        value, means = max((v, c) for v, c in zip(row, classes, strict=True) if _possible(c, question, state.refused))
        if value >= LEAST and means.asks:
            asked.append(means.asks)
        elif value >= LEAST and means.act != "other":
            acts.add(means.act)
    return Meant(tuple(dict.fromkeys(answers)), tuple(dict.fromkeys(asked)), frozenset(acts))


def _possible(means: _Class, question: bool, refused: bool) -> bool:
    if means.asks or means.act == "promises":
        return question == bool(means.asks)
    return refused or means.act != "pressures"


_WEIGHTS: dict[tuple[str, bytes], "np.ndarray"] = {}
"""float32 [dim, classes] by domain and by the vector of its first example, which tells one embedder from another."""


async def _learnt(domain: str, services: Services) -> tuple[list[_Class], "np.ndarray"]:
    import numpy as np  # 12 MB that a worker needs only where something is embedded

    examples = _examples(domain)
    classes = list(dict.fromkeys(means for means, _ in examples))
    texts = [text for _, text in examples]
    key = (domain, (await services.embed.phrases(texts[:1])).tobytes())
    if key not in _WEIGHTS:
        x = await services.embed.phrases(texts)
        y = np.array([[means == c for c in classes] for means, _ in examples], np.float32)
        _WEIGHTS[key] = x.T @ np.linalg.solve(x @ x.T + RIDGE * np.eye(len(x), dtype=np.float32), y)
    return classes, _WEIGHTS[key]


@cache
def _examples(domain: str) -> list[tuple[_Class, str]]:
    return list(_of(load(domain)))


def _of(data: OutreachDomain) -> Iterator[tuple[_Class, str]]:
    text = resources.files("generators.latents").joinpath("asker_acts.yaml").read_text()
    acts: Mapping[Act, Sequence[str]] = yaml.safe_load(text)
    for act, sentences in acts.items():
        yield from ((_Class(act), sentence) for sentence in sentences)
    yield _Class("commits"), data.ask
    answers = (answer for concern in data.concerns.values() for answer in concern.answers)
    yield from ((_Class(), told.text) for told in (*data.arguments, *data.irrelevant, *answers))
    yield from (
        (_Class(), f"{ask.rstrip('?')}?")
        for ask in (data.hello, *(q for topic in TOPICS.values() for q in topic["questions"]))
    )
    for name, concern in data.concerns.items():
        yield from ((_Class(asks=name), words) for words in (f"{concern.ask}?", concern.about, *concern.voiced))
