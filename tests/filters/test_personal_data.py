"""Personal data by its form: what has it is found, what only looks like it is not."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from talks import talk

from filters.personal_data import KINDS, Found, PersonalData, find, masked

HAVE = {
    "email": [
        "write to [jo.smith+x@mail.example.co.uk], ok",
        "it's [jo dot smith at gmail dot com] yes",
        "([jo_s@web.de])",
        "[jo (at) web (dot) org]",
        "<[müller@straße.de]>",
    ],
    "phone": [
        "call [555-123-4567].",
        "call [(212) 555-0100]!",
        "at [+44 20 7946 0958] or so",
        "[+49 30 901820]",
        "[1-800-225-5288] is free",
        "[212.736.5000]",
        "text me [2127365000]",
        "the taxi is [07979170593].",
    ],
    "card_number": ["pay with [4111 1111 1111 1111] now", "[5500-0055-5555-5559]", "amex [378282246310005]"],
    "iban": ["to [DE89 3704 0044 0532 0130 00] PLEASE", "[GB29NWBK60161331926819]", "[NL91ABNA0417164300]."],
    "us_ssn": ["my ssn is [536-22-1234]", "[536 22 1234]"],
    "ip_address": ["ping [82.9.34.77]", "from [2001:4860:4860::8888] it came", "[93.184.216.34]:8080"],
    "url_user_info": ["clone [https://bob:hunter2@git.example.org]/x", "[ftp://anna@files.example.net]"],
}
HAVE_NOT = [
    "I am at home dot com or not",
    "look at gmail.com for it",
    "meet @noon or at 10:30:45 on 2024-01-02",
    "there are 4111 1111 1111 1112 of them",
    "0000 0000 0000 0000",
    "DE89 3704 0044 0532 0130 01",
    "it is 127.0.0.1 or 192.168.0.1",
    "version 1.2.3 of 300.1.1.1",
    "linux 2.6.28.12 is out",
    "000-12-3456 and 987-65-4321",
    "3 + 41 = 44, and 12345 * 678 = 8369910",
    "pi is 3.14159265358979",
    "on 2029-10-17 22:15 it was",
    "31 by 11 is 2.818181818, and 310566.5",
    "pid 3437  0.0  0.2  18440  1232 pts",
    "earth_4.3.7284.3916",
    "https://example.org/~bob?to=a",
    "order 20230115123456789",
    "",
]


@pytest.mark.parametrize(("kind", "text"), [(kind, text) for kind, texts in HAVE.items() for text in texts])
def test_what_has_the_form_is_found_to_the_letter(kind: str, text: str):
    before, inside, after = text.replace("]", "[").split("[")
    plain = before + inside + after
    assert find(plain) == [Found(kind, len(before), len(before) + len(inside))]
    assert masked(plain, find(plain)) == f"{before}[{kind}]{after}"


@pytest.mark.parametrize("text", HAVE_NOT)
def test_what_only_looks_like_it_is_left_alone(text: str):
    assert find(text) == []


def test_several_are_told_in_order_and_masks_leave_nothing_of_them():
    text = "jo@web.de, 555-123-4567; https://a:b@c.org and jo@web.de"
    assert [f.kind for f in find(text)] == ["email", "phone", "url_user_info", "email"]
    assert masked(text, find(text)) == "[email], [phone]; [url_user_info] and [email]"
    assert find(masked(text, find(text))) == []


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from([*"0123456789 .-@+:/()", "555-123-4567", "jo@web.de", "DE89370400440532013000"]), max_size=40
    )
)
def test_finds_lie_side_by_side_in_the_text_and_masking_comes_to_an_end(parts: list[str]):
    text = "".join(parts)
    found = find(text)
    assert all(0 <= f.start < f.end <= len(text) for f in found)
    assert all(one.end <= two.start for one, two in pairwise(found))
    for _ in range(len(text) + 1):
        if not (found := find(text)):
            break
        text = masked(text, found)
    assert not find(text)


def test_every_kind_has_cases():
    assert set(HAVE) == set(KINDS)


def test_the_filter_drops_what_somebody_says_and_names_turn_and_kind_and_never_the_data():
    told = talk(("user", "hi"), ("assistant", "Who?"), ("user", "jo@web.de, 555-123-4567"))
    verdict = PersonalData().judge(told)
    assert (verdict.keep, verdict.reason, verdict.detail) == (False, "personal_data", "turn 2: email")
    assert PersonalData(kinds=("phone",)).judge(told).detail == "turn 2: phone"
    assert PersonalData(kinds=("iban",)).judge(told).keep


def test_a_countrys_own_way_to_write_phone_numbers_is_asked_for():
    text = talk(("user", "ring 030 901820"))
    assert PersonalData().judge(text).keep
    assert not PersonalData(regions=("DE",)).judge(text).keep
    with pytest.raises(ValidationError, match="'Britain' is no country"):
        PersonalData(regions=("US", "Britain"))
