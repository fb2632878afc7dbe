"""What every prompt of the prompted speakers looks like, over both families."""

from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
from played import case, note, played

from generators.families.conversation import Conversation
from generators.families.tutoring import Tutoring
from inference.client import Transcript
from pipelines.recipe import load
from schemas.chat import ChatRequest
from schemas.contracts import Family

QUICKSTART = Path(__file__).parents[2] / "recipes" / "quickstart.yaml"
FAMILIES = [Conversation(), Tutoring()]


async def by_speaker(family: Family, seed: int, **how: object) -> list[list[ChatRequest]]:
    """The requests of each speaker of two siblings, in order; a speaker is known by its system prompt."""
    found: dict[tuple[str, str], list[ChatRequest]] = defaultdict(list)
    for policy in ("reactive", "proactive"):
        for request in (await played(family, case(family, seed, policy), **how))[1]:  # pyright: ignore[reportArgumentType]
            found[policy, request.messages[0].content].append(request)
    return list(found.values())


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name())
async def test_each_prompt_begins_with_the_bytes_of_the_last_one_up_to_its_last_turn(family: Family):
    pairs = 0
    for seed in range(25):
        for requests in await by_speaker(family, seed):
            transcript = Transcript()
            rendered = [(transcript.render(r.messages[:-1]), transcript.render(r.messages)) for r in requests]
            for (start, _), (_, after) in pairwise(rendered):
                assert after.startswith(start)
                pairs += 1
    assert pairs > 100


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name())
async def test_prompts_are_static_first_then_history_then_this_turns_instruction(family: Family):
    starts: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    for seed in range(12):
        for requests in await by_speaker(family, seed):
            for request in requests:
                starts[request.messages[0].content].add(tuple(m.content for m in request.messages[:7]))
                assert request.messages[0].role == "system" and request.messages[-1].role == "user"
                assert request.messages[-1].content.endswith("]") and note(request)
                assert all(a.role != b.role for a, b in pairwise(request.messages))
    assert len(starts) == 2 and all(len(beginnings) == 1 for beginnings in starts.values())


async def test_the_quickstarts_prompts_are_short_enough_for_a_small_model():
    words: list[int] = []
    for entry in load(QUICKSTART).families:
        for seed in range(25):
            for requests in await by_speaker(entry.family, seed, speakers=entry.speakers):
                words += [sum(len(m.content.split()) for m in r.messages) for r in requests]
    assert len(words) > 200 and max(words) * 1.4 <= 250  # tokens a word, with the template's


async def test_only_what_is_new_is_rendered():
    rendered = [Transcript(), Transcript()]
    for requests in await by_speaker(FAMILIES[0], 3):
        for request in requests:
            grown, anew = rendered[0].render(request.messages), Transcript().render(request.messages)
            assert grown == anew
