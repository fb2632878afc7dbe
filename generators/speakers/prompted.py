"""A speaker that puts the program's move into words with one model call, and checks the words.

Prompt order: who you are and demonstrations (static, so every server prefix-caches them), the history, and last this
turn's one
instruction, in brackets behind the other side's message.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from generators.speakers.checks import check_message, tidy
from schemas.chat import CallKey, ChatReply, ChatRequest, ChatRole, Message, Sampling
from schemas.contracts import Services, Speaker
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import derive, stable_hash
from schemas.scenario import Value, View


class Demonstration(Value):
    """One worked example: what the other side said, the note in brackets, and the message."""

    heard: str
    note: str
    message: str


class PromptedSpeaker(Speaker):
    """Base of the prompted speakers: system prompt, demonstrations, sampling, checks."""

    system: str
    """The static instruction; `{brief}` is the view's brief."""
    demonstrations: tuple[Demonstration, ...] = ()
    """Shown before the history, as if they were earlier turns."""
    sampling: Sampling = Sampling()
    """Of every call."""
    attempts: int = 3
    """Answers asked for, each with its own seed, before the dialogue ends as a fault."""
    history: int = 6
    """Most recent messages shown; the prompt stays short for small models."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        if move.kind == "silence":
            return Turn(role=view.role, kind="silence", intent_requested=move.intent, labels=move.labels)
        if move.verbatim is not None:
            return await self.label(self._turn(view, move, text=move.verbatim), view, turns, move, services)
        messages = self.prompt(view, turns, move)
        fault = InvalidOutput("no attempt was made", "no_attempts")
        for attempt in range(self.attempts):
            key = CallKey(turn=len(turns), attempt=attempt)
            request = ChatRequest(
                key=key,
                messages=messages,
                sampling=_warmer(self.sampling, attempt),
                seed=derive(seed, view.role, key.turn, key.step, attempt),
                stop=() if self.answer_schema(view, move) else ("\n",),
                json_schema=self.answer_schema(view, move),
            )
            try:
                reply = await services.chat[view.role].ask(request)
                turn = self._said(view, turns, move, reply, request)
                return await self.label(turn, view, turns, move, services)
            except InvalidOutput as error:
                fault = error
        if move.fallback is None:
            raise fault
        check_message(move.fallback, view.role, turns, learner_like=False)
        words = self._turn(view, move, text=move.fallback)
        said = await self.label(words, view, turns, move, services)
        return said.model_copy(update={"labels": {**said.labels, "fallback": fault.reason}})

    def prompt(self, view: View, turns: Sequence[Turn], move: Move) -> tuple[Message, ...]:
        lines: list[tuple[ChatRole, str]] = [("system", self.system.format(brief=view.brief))]
        for shown in self.demonstrated(move):
            lines.append(("user", f"{shown.heard}\n[{shown.note}]".lstrip()))
            lines.append(("assistant", shown.message))
        demonstrated = len(lines)
        spoken = [turn for turn in turns if turn.text is not None]
        for turn in self.shown(spoken, move):
            lines.append(("assistant" if turn.role == view.role else "user", turn.text or ""))
        note = f"[{move.instruction}]"
        if len(lines) > demonstrated and lines[-1][0] == "user":
            lines[-1] = ("user", f"{lines[-1][1]}\n{note}")
        else:
            lines.append(("user", note))
        merged: list[Message] = []
        for role, text in lines:
            if merged and merged[-1].role == role:
                merged[-1] = Message(role, f"{merged[-1].content}\n{text}")
            else:
                merged.append(Message(role, text))
        return tuple(merged)

    def demonstrated(self, move: Move) -> tuple[Demonstration, ...]:
        """The demonstrations this move's prompt begins with."""
        return self.demonstrations

    def shown(self, spoken: Sequence[Turn], move: Move) -> Sequence[Turn]:
        """The messages this move's prompt shows, of all that were said."""
        return spoken[-self.history :]

    def answer_schema(self, view: View, move: Move) -> dict[str, Any] | None:
        """The JSON schema of this move's answer; None: the answer is the message itself."""
        return None

    def text(self, reply: ChatReply, move: Move) -> str:
        """The message in a reply."""
        return tidy(reply.text, reply.finish_reason == "length")

    def known(self, reply: ChatReply, move: Move) -> dict[str, Any]:
        """Turn fields a reply carries beside the message."""
        return {}

    @abstractmethod
    async def label(self, turn: Turn, view: View, turns: Sequence[Turn], move: Move, services: Services) -> Turn:
        """The turn with what its words show (facts asked, disclosed, volunteered); raises InvalidOutput when they do
        not do what the move asked.
        """

    def _turn(self, view: View, move: Move, text: str, **known: Any) -> Turn:
        return Turn(
            role=view.role, kind=move.kind, text=text, intent_requested=move.intent, labels=move.labels, **known
        )

    def _said(self, view: View, turns: Sequence[Turn], move: Move, reply: ChatReply, request: ChatRequest) -> Turn:
        text = self.text(reply, move)
        check_message(text, view.role, turns, learner_like=view.role == "assistant")
        return self._turn(
            view,
            move,
            text,
            model=reply.model,
            prompt_hash=stable_hash([[m.role, m.content] for m in request.messages]),
            temperature=request.sampling.temperature,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            logprob=reply.logprob,
            **self.known(reply, move),
        )


def _warmer(sampling: Sampling, attempt: int) -> Sampling:
    """A model that answered badly answers nearly the same again unless it is warmer."""
    return (
        sampling.model_copy(update={"temperature": round(sampling.temperature + 0.2 * attempt, 2)})
        if attempt
        else sampling
    )
