import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from discriminators import cues, learner_acts
from discriminators.cues import Cue, Line

CUES = [
    cue
    for held in (vars(cues), vars(learner_acts), cues._ACTS)  # pyright: ignore[reportPrivateUsage]
    for cue in held.values()
    if isinstance(cue, Cue)
]


def test_all_cues_are_looked_at():
    assert len(CUES) == 18


@pytest.mark.parametrize("number", range(18))
def test_no_line_that_a_pattern_finds_lacks_the_words_it_needs(number: int):
    cue = CUES[number]

    @settings(max_examples=60, deadline=None, database=None, derandomize=True)
    @given(st.from_regex(cue.pattern))
    def found(text: str):
        said = cue.pattern.search(text) is not None
        assert cue.found(Line.of(text)) is said
        assert cue.possible(Line.of(text)) or not (said or cue.pattern.findall(text))

    found()


@given(st.text("loham!?:;-(d ☀\U0001f600", max_size=12))
def test_a_line_is_spelt_as_in_a_chat_where_one_pattern_of_all_its_marks_says_so(text: str):
    marks = r"\b(?:lo+l|haha\w*|hmm+)\b|(\w)\1\1|[.!?]{2,}|[:;]-?[()dp]|[\U0001f300-\U0001faff☀-➿]"
    assert cues.chatty(Line.of(text)) is (re.search(marks, text) is not None)
