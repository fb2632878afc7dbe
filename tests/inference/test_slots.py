"""Which slot of a llama.cpp server a request names."""

import re

from inference.slots import Slots


class Talk:
    """Stands for a conversation: only that it lives matters."""


def slot_of(named: bytes) -> int | None:
    found = re.search(rb'"id_slot":(\d+)}$', named)
    return int(found[1]) if found else None


def ask(slots: Slots, talk: object, text: str = "") -> int | None:
    with slots.named(talk, b'{"messages":["%b"]}' % text.encode()) as named:
        return slot_of(named)


def test_a_conversation_keeps_its_slot_whoever_asks_between():
    slots = Slots(range(3))
    talks = [Talk() for _ in range(3)]
    first = [ask(slots, talk, "same beginning") for talk in talks]
    assert sorted(first, key=str) == [0, 1, 2]
    assert [ask(slots, talk, "same beginning, longer") for talk in reversed(talks)] == first[::-1]


def test_a_new_conversation_takes_the_free_slot_with_the_same_beginning_and_never_that_of_a_live_one():
    slots = Slots(range(2))
    tutor, pupil = Talk(), Talk()
    of_tutor, of_pupil = ask(slots, tutor, "You are a tutor. A"), ask(slots, pupil, "You are a pupil. A")
    del tutor
    assert ask(slots, Talk(), "You are a pupil. B") == of_tutor  # not the live pupil's, although more alike
    assert ask(slots, Talk(), "You are a tutor. C") == of_tutor
    del pupil
    for text, wanted in (("a pupil. D", of_pupil), ("a tutor. E", of_tutor), ("a pupil. F", of_pupil)):
        assert ask(slots, Talk(), f"You are {text}") == wanted


def test_where_all_are_owned_the_longest_unused_is_taken():
    slots = Slots(range(2))
    talks = [Talk(), Talk(), Talk()]
    first, second = ask(slots, talks[0]), ask(slots, talks[1])
    ask(slots, talks[0])
    assert ask(slots, talks[2]) == second
    assert ask(slots, talks[0]) == first


def test_no_two_requests_at_a_time_name_one_slot_and_more_of_them_name_none():
    slots = Slots([5, 7])
    talk = Talk()
    with slots.named(talk, b"{}") as one, slots.named(talk, b"{}") as two, slots.named(Talk(), b"{}") as three:
        assert {slot_of(one), slot_of(two)} == {5, 7}
        assert three == b"{}"
    assert ask(slots, Talk()) in (5, 7)
