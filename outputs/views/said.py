"""Dialogues as messages, in columns: what was said, and the learner's messages with all that came before each."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from outputs.arrow import pc
from outputs.views.public import flat, listed
from outputs.views.view import MESSAGES
from schemas.table import MESSAGE


class Said(NamedTuple):
    """Of a table of `outputs.views.public`: its turns one below the other, and what of them is a message."""

    turns: pa.StructArray
    of: np.ndarray
    """Dialogue of each turn: its row in the table."""
    place: np.ndarray
    """Of each turn in its dialogue."""
    spoken: np.ndarray
    """bool: whether a turn is a message; silences and events are none."""
    own: np.ndarray
    """bool: whether it is the learner's."""
    message: np.ndarray
    """Of each turn, how many messages of all dialogues came before it."""
    first: np.ndarray
    """Of each dialogue: its first message."""
    messages: pa.StructArray
    """Of all dialogues."""

    @property
    def on_policy(self) -> np.ndarray:
        """bool, of each dialogue: whether the learner said all of its turns itself, from what it could know."""
        return ~self.anywhere(self.own & (self.flag("question_substituted") | self.flag("clairvoyant")))

    def field(self, name: str) -> pa.Array:
        return pc.struct_field(self.turns, name)

    def flag(self, name: str) -> np.ndarray:
        """bool: of each turn; absent is False."""
        return numbers(pc.fill_null(self.field(name), False))

    def anywhere(self, turns: np.ndarray) -> np.ndarray:
        """bool, of each dialogue: whether it has one of the turns (bool)."""
        return np.bincount(self.of[turns], minlength=len(self.first)) > 0

    def before(self, turns: np.ndarray) -> pa.ListArray:
        """All messages ahead of each of these turns (their numbers)."""
        starts, stops = self.first[self.of[turns]], self.message[turns]
        lengths = stops - starts
        ends = np.cumsum(lengths)
        inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - lengths, lengths)
        return listed(self.messages.take(pa.array(np.repeat(starts, lengths) + inside)), lengths).cast(MESSAGES)

    def at(self, turns: np.ndarray) -> pa.ListArray:
        """The message that each of these turns (their numbers) is; none where it is none."""
        spoken = self.spoken[turns]
        return listed(self.messages.take(pa.array(self.message[turns][spoken])), spoken.astype(np.int64)).cast(MESSAGES)

    def states(self, start: np.ndarray) -> np.ndarray:
        """Of each turn a number, equal for two turns exactly where their dialogues start alike (`start`, int64, of each
        dialogue) and the same was said before.
        """
        of = self.of[self.spoken]
        depth = np.arange(len(of)) - self.first[of]
        codes = _coded(self.messages)
        state = np.unique(start, return_inverse=True)[1]
        before = np.zeros(len(of) + 1, np.int64)
        order = np.argsort(depth, kind="stable")
        seen = int(state.max(initial=-1)) + 1
        for messages in np.split(order, np.flatnonzero(np.diff(depth[order])) + 1) if len(of) else []:
            before[messages] = state[of[messages]]
            new, numbered = np.unique(before[messages] * 2 * (len(of) + 1) + codes[messages], return_inverse=True)
            state[of[messages]] = seen + numbered
            seen += len(new)
        ends = np.append(self.first[1:], len(of))[self.of]
        return np.where(self.message < ends, before[self.message], state[self.of])


def _coded(messages: pa.StructArray) -> np.ndarray:
    """A number a message, equal where role and words are."""
    words = numbers(pc.struct_field(messages, "content").dictionary_encode().indices).astype(np.int64)
    return 2 * words + numbers(pc.equal(pc.struct_field(messages, "role"), "assistant"))


def said(table: pa.Table) -> Said:
    turns, lengths = flat(table["turns"])
    of = np.repeat(np.arange(len(lengths)), lengths)
    starts = np.cumsum(lengths) - lengths
    texts = pc.struct_field(turns, "text")
    uttered = pc.fill_null(pc.equal(pc.struct_field(turns, "kind"), "utterance"), False)
    spoken = numbers(pc.and_(uttered, pc.is_valid(texts)))
    roles = pc.struct_field(turns, "role")
    counted = np.concatenate([[0], np.cumsum(spoken)])
    chosen = pa.array(np.flatnonzero(spoken))
    return Said(
        turns=turns,
        of=of,
        place=np.arange(len(of)) - np.repeat(starts, lengths),
        spoken=spoken,
        own=numbers(pc.equal(roles, "assistant")),
        message=counted[:-1],
        first=counted[starts],
        messages=pa.StructArray.from_arrays([roles.take(chosen), texts.take(chosen)], fields=list(MESSAGE)),
    )


def numbers(array: pa.Array | pa.ChunkedArray) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False) if isinstance(array, pa.Array) else array.to_numpy()


def last_words(prompts: pa.ListArray | pa.ChunkedArray) -> pa.Array:
    """Of each list of messages the last one's; empty without one."""
    messages, lengths = flat(prompts)
    some = pa.array(np.cumsum(lengths) - 1, mask=lengths == 0)
    return pc.fill_null(pc.struct_field(messages, "content").take(some), "")
