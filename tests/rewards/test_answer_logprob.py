"""The log-probability of the right answer, after each turn of the partner."""

from dataclasses import replace

import pytest
from played import Embedder
from talks import talk

from rewards.answer_logprob import AnswerLogprob
from schemas.chat import ChatReply, ChatRequest, Message, Weighed
from schemas.contracts import Services
from schemas.dialogue import Dialogue
from schemas.scenario import Verifier


class Surer:
    """Half a nat surer with every message."""

    def __init__(self, tells: bool = True):
        self.asked: list[ChatRequest] = []
        self._tells = tells

    async def ask(self, request: ChatRequest) -> ChatReply:
        self.asked.append(request)
        logprob = -5 + len(request.messages) / 2 if self._tells else None
        return ChatReply('"12"', "m", "stop", prompt_tokens=1, completion_tokens=1, data="12", logprob=logprob)


def lesson(verifier: Verifier | None) -> Dialogue:
    said = [("teacher", "How much?"), ("student", "How many?"), ("teacher", "Three."), ("student", "12.")]
    return talk(*said, sides=("student", "teacher"), verifier=verifier)


NUMBER = Verifier(kind="number", answer="12")


async def test_it_is_asked_after_each_turn_of_the_partner_of_what_was_said_till_then():
    model = Surer()
    values = await AnswerLogprob().annotate(lesson(NUMBER), Services(chat={"student": model}, embed=Embedder()))
    assert [(v.turn, v.value, v.parts["rise"]) for v in values] == [(0, -4.0, None), (2, -3.0, 1.0)]
    first, *others = model.asked
    assert first.weigh_last and first.messages[-1] == Message("assistant", '"12"'), "asked once whether it weighs words"
    assert all(r.logprobs and r.json_schema == {"type": "string", "enum": ["12"]} for r in others) and len(others) == 2
    assert not any("12" in m.content for r in others for m in r.messages)


class Weighs(Surer):
    """Weighs what it is given; a constrained answer is certain."""

    async def ask(self, request: ChatRequest) -> ChatReply:
        reply = await super().ask(request)
        likely = -1.0 / len(request.messages)
        tokens = (Weighed('"1', "7", {"7": likely, "8": -0.1}), Weighed('2"', "9", {"9": -0.5}))
        return replace(reply, logprob=0.0, tokens=tokens if request.weigh_last else ())


async def test_a_server_that_weighs_words_is_never_asked_to_say_the_answer():
    model = Weighs()
    values = await AnswerLogprob().annotate(lesson(NUMBER), Services(chat={"student": model}, embed=Embedder()))
    assert [v.value for v in values] == pytest.approx([-1 / 3 - 0.5, -1 / 5 - 0.5])
    assert all(r.weigh_last and r.json_schema is None for r in model.asked) and len(model.asked) == 2


@pytest.mark.parametrize(
    ("chat", "verifier", "reasons"),
    [
        ({"student": Surer(tells=False)}, NUMBER, ["no_logprobs", "no_logprobs"]),
        ({"student": Surer()}, None, ["no_verifier"]),
        ({}, NUMBER, ["no_model"]),
    ],
)
async def test_what_is_not_told_is_none_with_a_reason(
    chat: dict[str, Surer], verifier: Verifier | None, reasons: list[str]
):
    values = await AnswerLogprob().annotate(lesson(verifier), Services(chat=chat, embed=Embedder()))
    assert [v.reason for v in values] == reasons and all(v.value is None for v in values)
