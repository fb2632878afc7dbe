"""A speaker that puts the program's move into words with one model call, and checks the words.

Prompt order (law 10): who you are and demonstrations, which are static, so every server prefix-caches them; the
history; and last this turn's one instruction, in brackets behind the other side's message. With the whole history each
prompt begins with the last one, all but its instruction.
"""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from generators.speakers.checks import check_message, tidy
from generators.speakers.copied import check_not_copied
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import Services, Speaker
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import derive, stable_hash
from schemas.scenario import Value, View

_NOTHING_HEARD = "[go on]"
"""Stands before a message that answered none: many chat templates want the two sides to alternate."""


class Demonstration(Value):
    """One worked example: what the other side said, the note in brackets, and the message."""

    heard: str
    note: str
    message: str
    intent: str | None = None
    """The only intent it is an example of; None: of any. Looked at where the history is short."""


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
    history: int | None = None
    """Most recent messages shown. null: all, so that each prompt begins with the last one and prefix caches keep every
    token; a small model does better with few. 0: the note alone, of a move whose words say all.
    """

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        if move.kind == "silence":
            return Turn(role=view.role, kind="silence", intent_requested=move.intent, labels=move.labels)
        if move.verbatim is not None:
            return await self.label(self._scripted(view, move, move.verbatim), view, turns, move, services)
        messages = self.prompt(view, turns, move)
        fault = InvalidOutput("no attempt was made", "no_attempts")
        for tried in range(self.attempts):
            attempt = move.remake * self.attempts + tried
            key = CallKey(turn=len(turns), attempt=attempt)
            request = ChatRequest(
                key=key,
                messages=messages,
                sampling=_warmer(self.sampled(move), move.remake + tried),
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
        words = self._scripted(view, move, move.fallback)
        said = await self.label(words, view, turns, move, services)
        return said.model_copy(update={"labels": {**said.labels, "fallback": fault.reason}})

    def prompt(self, view: View, turns: Sequence[Turn], move: Move) -> tuple[Message, ...]:
        prompt = [Message("system", self.system.format(brief=view.brief))]
        for shown in self.demonstrated(move):
            said_before = "" if self.history == 0 else shown.heard
            prompt.append(Message("user", f"{said_before}\n[{shown.note}]".lstrip()))
            prompt.append(Message("assistant", shown.message))
        heard: list[str] = []
        for turn in self.shown([t for t in turns if t.text is not None], move):
            if turn.role != view.role:
                heard.append(turn.text or "")
                continue
            prompt.append(Message("user", "\n".join(heard) or _NOTHING_HEARD))
            prompt.append(Message("assistant", turn.text or ""))
            heard = []
        prompt.append(Message("user", "\n".join([*heard, f"[{self.note(move)}]"])))
        return tuple(prompt)

    def note(self, move: Move) -> str:
        """This turn's instruction, as it stands in the brackets."""
        return move.instruction

    def demonstrated(self, move: Move) -> tuple[Demonstration, ...]:
        """The demonstrations this move's prompt begins with: all, or where the history is short those that fit."""
        if self.history is None:
            return self.demonstrations
        return tuple(d for d in self.demonstrations if d.intent in (None, move.intent))

    def shown(self, spoken: Sequence[Turn], move: Move) -> Sequence[Turn]:
        """The messages this move's prompt shows, of all that were said."""
        return spoken if self.history is None else spoken[max(0, len(spoken) - self.history) :]

    def answer_schema(self, view: View, move: Move) -> dict[str, Any] | None:
        """The JSON schema of this move's answer; None: the answer is the message itself."""
        return None

    def sampled(self, move: Move) -> Sampling:
        """How this move's answer is sampled."""
        return self.sampling

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

    def _scripted(self, view: View, move: Move, text: str) -> Turn:
        """In the program's words, which detectors of what a model makes up need not look at."""
        turn = self._turn(view, move, text)
        return turn.model_copy(update={"labels": turn.labels | {"scripted": True}})

    def _said(self, view: View, turns: Sequence[Turn], move: Move, reply: ChatReply, request: ChatRequest) -> Turn:
        text = self.text(reply, move)
        check_message(text, view.role, turns, learner_like=view.role == "assistant")
        check_not_copied(text, view, turns, move, [d.message for d in self.demonstrated(move)])
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
