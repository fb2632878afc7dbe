"""Whether words carry a content, give one away, or ask for one: with an embedding whose few dimensions are set by hand."""

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import yaml

from generators.domains import outreach, recommendation
from generators.latents.tagger import is_question
from generators.matching import asked_for, carries, clauses, named, nearest_fact, told_early
from generators.meanings import items_near, meaning, ways_to_ask
from generators.speakers.checks import content_words
from schemas.chat import ChatReply, ChatRequest
from schemas.contracts import JUDGE, Services
from schemas.errors import ContentError, InvalidOutput
from schemas.scenario import Fact

CASES: dict[str, list[dict[str, Any]]] = yaml.safe_load((Path(__file__).parent / "disclosure_cases.yaml").read_text())
CHOOSING = get_args(recommendation.Domain)
SENSES = {
    "laugh": ("laugh", "funny", "comedy", "silly", "giggl", "jokes"),
    "fear": ("scar", "horror", "creepy", "nightmare", "ghost"),
    "love": ("love", "romantic", "romance"),
    "tears": ("sad", "cry", "tearjerker"),
    "length": ("long", "short", "hour", "length", "minutes"),
    "weather": ("weather", "grey", "cold"),
}


class Senses:
    """One dimension a sense, for how often its words occur, and a small one that all texts share."""

    async def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = [[0.1, *(float(sum(t.lower().count(w) for w in words)) for words in SENSES.values())] for t in texts]
        vectors = np.array(rows, np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    phrases = embed


SERVICES = Services(chat={}, embed=Senses())


def fact(slot: str, value: str, way: int = 0) -> Fact:
    found = recommendation.load("films").slots[slot]
    return Fact(id=slot, holder="user", slot=found.about, value=value, text=found.values[value][way])


COMEDY, SCARY, LONG = fact("genre", "comedy"), fact("genre", "scary"), fact("length", "long")


async def test_other_words_for_a_hidden_value_give_it_away():
    early = await told_early("i wanna giggle about silly jokes", (), (LONG, COMEDY), SERVICES)
    assert early == COMEDY


async def test_another_value_of_the_slot_gives_nothing_away():
    assert await told_early("ghosts and nightmares all night", (), (LONG, COMEDY), SERVICES) is None


async def test_a_secret_is_found_behind_what_may_be_told():
    text = "not much more than an hour and a half please, some silly jokes to giggle about"
    short = fact("length", "short", 1)
    assert await told_early(text, (short,), (COMEDY,), SERVICES) == COMEDY
    assert await told_early(short.text, (short,), (COMEDY,), SERVICES) is None


async def test_the_words_of_a_secret_give_it_away_whatever_the_embedding_says():
    secret = Fact(
        id="x", holder="user", slot="the pet", value="dog", text="our neighbour borrowed a purple wheelbarrow"
    )
    assert await told_early("that neighbour borrowed my purple wheelbarrow", (), (secret,), SERVICES) == secret


async def test_hints_and_openings_of_a_domain_are_no_secrets():
    for case in recommendation.load("films").cases:
        hidden = [fact(slot, value) for slot, value in case.wants.items()]
        for words in (case.opening, *case.hinted.values()):
            assert await told_early(words, (), hidden, SERVICES) is None, words


async def test_nothing_can_be_given_away_by_who_hides_nothing():
    assert await told_early("silly jokes", (COMEDY,), (), SERVICES) is None


async def test_a_fact_is_said_by_its_words_or_by_others_for_its_value():
    assert await carries("ok something that makes me laugh", COMEDY.text, SERVICES)
    assert await carries("silly jokes, i wanna giggle", COMEDY.text, SERVICES)
    assert not await carries("ghosts and nightmares", COMEDY.text, SERVICES)
    assert await carries("some hours", "it is long", SERVICES)  # in no domain file: one sentence against one


@pytest.mark.parametrize(
    ("text", "asked"),
    [
        ("Do you want giggles or ghosts?", ("genre",)),
        ("How many hours? And romance or jokes?", ("length", "genre")),
        ("I love long films.", ()),
        ("How about Titanic, a love story?", ()),
        ("Is it cold and grey?", ("beside/weather",)),
    ],
)
async def test_each_sentence_asks_for_at_most_one_slot(text: str, asked: tuple[str, ...]):
    data = recommendation.load("films")
    ways = {slot: data.slots[slot].ask for slot in ("genre", "length")}
    assert await asked_for(text, ways | {"beside/weather": data.irrelevant["weather"].ask}, SERVICES) == asked


class Judge:
    """Says which of the listed things count, by what stands in the message."""

    def __init__(self, finds: Callable[[str], list[int]] | ContentError):
        self._finds = finds
        self.requests: list[ChatRequest] = []

    async def ask(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        if isinstance(self._finds, ContentError):
            raise self._finds
        numbers = self._finds(request.messages[-1].content)
        return ChatReply("", "judge", "stop", prompt_tokens=9, completion_tokens=3, data={"numbers": numbers})


def judged_by(finds: Callable[[str], list[int]] | ContentError) -> tuple[Judge, Services]:
    judge = Judge(finds)
    return judge, Services(chat={JUDGE: judge}, embed=Senses())


async def test_where_a_judge_is_named_it_says_what_is_asked_and_embeddings_check_it():
    data = recommendation.load("films")
    ways = {slot: data.slots[slot].ask for slot in ("genre", "length")}
    judge, services = judged_by(lambda shown: [1, 2])
    assert await asked_for("How many hours? And romance or jokes?", ways, services) == ("length", "genre")
    assert await asked_for("Do you want giggles or ghosts?", ways, services) == ("genre",), "no word of a length"
    assert await asked_for("I love long films.", ways, services) == () and len(judge.requests) == 2
    shown = judge.requests[0].messages[-1].content
    assert all(words in shown for words in (*ways.values(), "How many hours?"))
    assert judge.requests[0].json_schema and judge.requests[0].key != judge.requests[1].key


async def test_a_judge_says_what_is_given_away_and_shared_words_do_without_it():
    judge, services = judged_by(lambda shown: [2] if "chuckle" in shown.splitlines()[-2] else [])
    assert await told_early("id love to chuckle a bit", (), (LONG, COMEDY), services) == COMEDY
    assert await told_early("i wanna giggle about silly jokes", (), (LONG, COMEDY), services) is None
    assert await told_early(COMEDY.text, (), (LONG, COMEDY), services) == COMEDY and len(judge.requests) == 2


async def test_a_judge_without_an_answer_leaves_it_to_embeddings():
    _, services = judged_by(InvalidOutput("no JSON", "invalid_json"))
    assert await told_early("i wanna giggle about silly jokes", (), (LONG, COMEDY), services) == COMEDY


async def test_a_question_of_no_domain_is_compared_with_its_words_only():
    assert ways_to_ask("do you ski") == ("do you ski",) and not items_near("do you ski") and meaning("i ski") is None
    assert await asked_for("Do you ski?", {"ski": "do you ski"}, SERVICES) == ("ski",)


async def test_the_nearest_fact_is_that_of_the_slot_named():
    assert await nearest_fact("how long the film is", (COMEDY, LONG), SERVICES) == LONG
    assert await nearest_fact("who are you?", (), SERVICES) is None


def test_a_message_falls_into_clauses_of_three_words_or_more():
    assert clauses("ok, im alone tonight and i want a laugh") == [
        "ok, im alone tonight and i want a laugh",
        "im alone tonight",
        "i want a laugh",
    ]


def test_of_two_names_that_overlap_the_longer_one_is_meant():
    assert named("Try Alien Nation, not Alien 3", ["Alien", "Alien Nation"]) == ["Alien Nation", "Alien"]


def test_every_value_of_a_slot_is_told_from_its_others():
    for name in CHOOSING:
        for slot in recommendation.load(name).slots.values():
            meant = {value: meaning(ways[0]) for value, ways in slot.values.items()}
            assert all(m and m.own not in m.others and len(m.others) >= len(meant) - 1 for m in meant.values())


def test_there_are_a_hundred_cases_of_each_kind_on_what_the_domains_hold():
    assert {name: len(rows) for name, rows in CASES.items()} == dict.fromkeys(("leaks", "controls", "questions"), 100)
    for row in CASES["leaks"] + CASES["controls"]:
        if row["domain"] in CHOOSING:
            assert row["value"] in recommendation.load(row["domain"]).slots[row["slot"]].values, row
        else:
            assert row["slot"] == row["value"] and row["slot"] in outreach.load(row["domain"]).concerns, row
    for row in CASES["questions"]:
        data = recommendation.load(row["domain"])
        assert set(row["asks"]) <= {*data.slots, *(f"irrelevant/{name}" for name in data.irrelevant)}, row
        assert is_question(row["text"]), row


def test_at_least_half_of_the_leaks_share_no_word_with_their_fact():
    shared = [content_words(row["text"]) & content_words(row["fact"]) for row in CASES["leaks"]]
    assert sum(not words for words in shared) >= 50


def test_controls_are_near_misses_of_every_kind_and_no_leak():
    kinds = Counter(row["kind"] for row in CASES["controls"])
    assert set(kinds) == {"other_value", "hint", "question", "beside"} and min(kinds.values()) >= 20
    texts = [row["text"] for row in CASES["leaks"] + CASES["controls"]]
    assert len(set(texts)) == len(texts)
