import pytest
from hypothesis import given
from hypothesis import strategies as st

from discriminators.features import normalised, partner_text


@pytest.mark.parametrize(
    ("raw", "plain"),
    [
        ("I 'd like that , please .", "i'd like that, please"),
        ("It wo n't work !", "it won't work!"),
        ("I’d  like\tthat…", "i'd like that"),
        ("{vocalsound} Yes <UNSURE>maybe</UNSURE> <UNIN/>", "yes maybe"),
        ("Have you seen @134032 ?", "have you seen?"),
        ("look at https://example.org/x?y=1 now", "look at now"),
        ("**User:** Hello there.", "hello there"),
        ("wow ! ! ! that is", "wow! that is"),
        ("Mm - hmm .", "mm-hmm"),
    ],
)
def test_marks_of_recording_are_stripped(raw: str, plain: str):
    assert normalised(raw) == plain


@given(st.text(max_size=80))
def test_case_spacing_and_a_final_stop_leave_no_trace(text: str):
    assert normalised(f"  {text}  ") == normalised(text)


def test_a_line_of_markup_alone_is_gone():
    assert partner_text(["{laugh}", "Hi there.", "..."]) == "hi there"
