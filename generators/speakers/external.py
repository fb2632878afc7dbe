"""The learner's seat under the policy `external`: any model, which is told who it is and what it holds, and no note. It
says what it likes; what it did is read off its words by the family.
"""

import re
from collections.abc import Sequence

from generators.latents.tagger import is_question
from schemas.chat import CallKey, ChatReply, ChatRequest, Message, Sampling
from schemas.contracts import Services, Speaker
from schemas.dialogue import Move, Turn
from schemas.errors import InvalidOutput
from schemas.identity import derive, stable_hash
from schemas.scenario import View

EXTERNAL = "external"
"""The policy, and the role whose model plays it where a recipe has one."""
FREE = "free"
"""The intent of a move that leaves it to its speaker what to do. Its instruction, if any, holds for the whole
dialogue.
"""

YOU_BEGIN = "(You write the first message.)"
GO_ON = "(Nothing was said since. You go on.)"
"""Stand where nothing was heard: many chat templates want the two sides to alternate."""
_THOUGHT = re.compile(r"^\s*<think>(.*?)</think>", re.DOTALL)
_ROLES = ("user", "assistant", "student", "teacher", "tutor", "system", "human")


class External(Speaker):
    """A model that plays freely: shown the view and the whole public history; its message is checked for emptiness,
    role labels and length alone.
    """

    system: str = "{view}\n\nWrite your next message, and nothing else. Keep it short, as in a chat."
    """The static instruction; `{view}` is who it is, what it sees, and what it alone knows."""
    sampling: Sampling = Sampling(temperature=0.7, max_tokens=300)
    """Of every call."""
    attempts: int = 3
    """Answers asked for, each with its own seed, before the dialogue ends as a fault."""
    max_words: int = 150
    """Of a message."""

    async def speak(self, view: View, turns: Sequence[Turn], move: Move, seed: int, services: Services) -> Turn:
        if move.kind == "silence" or move.verbatim is not None:
            return Turn(
                role=view.role, kind=move.kind, text=move.verbatim, intent_requested=move.intent, labels=move.labels
            )
        standing = described(view, move.instruction, turns)
        messages = (Message("system", self.system.format(view=standing)), *history(view.role, turns))
        fault = InvalidOutput("no attempt was made", "no_attempts")
        for attempt in range(self.attempts):
            key = CallKey(turn=len(turns), attempt=attempt)
            request = ChatRequest(
                key=key,
                messages=messages,
                sampling=self.sampling,
                seed=derive(seed, view.role, key.turn, key.step, attempt),
            )
            try:
                model = services.chat.get(EXTERNAL) or services.chat[view.role]
                return self._said(view, move, await model.ask(request), request)
            except InvalidOutput as error:
                fault = error
        raise fault

    def _said(self, view: View, move: Move, reply: ChatReply, request: ChatRequest) -> Turn:
        thought = _THOUGHT.match(reply.text)
        text = reply.text[thought.end() if thought else 0 :].strip()
        self._check(text, view.role, reply.finish_reason)
        return Turn(
            role=view.role,
            kind=move.kind,
            text=text,
            intent_requested=move.intent,
            acts=("ask",) if is_question(text) else (),
            labels=move.labels,
            thought=thought[1].strip() if thought else None,
            model=reply.model,
            prompt_hash=stable_hash([[m.role, m.content] for m in request.messages]),
            temperature=request.sampling.temperature,
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            logprob=reply.logprob,
        )

    def _check(self, text: str, role: str, finish_reason: str) -> None:
        if not re.search(r"\w", text):
            raise InvalidOutput("empty message", "empty_message")
        if re.search(rf"^\W*(?:{'|'.join({*_ROLES, role})})\W{{0,2}}:", text, re.IGNORECASE | re.MULTILINE):
            raise InvalidOutput(f"the {role}'s message has a role label: {text[:80]!r}", "role_confusion")
        words = len(text.split())
        if words > self.max_words or finish_reason == "length":
            raise InvalidOutput(f"the {role}'s message has {words} words, or more", "message_too_long")


def described(view: View, instruction: str, turns: Sequence[Turn]) -> str:
    """Who somebody is, what they see and what they alone know, in words for a prompt; the same at every turn."""
    parts = [view.brief]
    if view.public and all(turn.text != view.public for turn in turns[:1]):  # else it was the first thing said
        parts.append(view.public)
    if view.facts:
        parts.append("\n".join(["What you know:", *(f"- {fact.text}" for fact in view.facts)]))
    parts += [f"Your {name}:\n{text}" for name, text in view.private.items()]
    return "\n\n".join(part for part in (*parts, instruction) if part)


def history(role: str, turns: Sequence[Turn]) -> list[Message]:
    """What everybody has heard, as a chat: `role` is its assistant, all others its user. Ends with the user."""
    messages: list[Message] = []
    heard: list[str] = []
    for turn in turns:
        if turn.text is None:
            continue
        if turn.role != role:
            heard.append(turn.text if turn.kind == "utterance" else f"({turn.text})")
            continue
        messages.append(Message("user", "\n".join(heard) or (GO_ON if messages else YOU_BEGIN)))
        messages.append(Message("assistant", turn.text))
        heard = []
    messages.append(Message("user", "\n".join(heard) or (GO_ON if messages else YOU_BEGIN)))
    return messages
