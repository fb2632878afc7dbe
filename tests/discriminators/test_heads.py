import pytest
from talks import said

from discriminators.heads import CHANGES, LINE_HEADS, MATCHED, REPORTED_ONLY, context, summary
from discriminators.user_turns import Sample


@pytest.mark.parametrize(
    ("text", "head", "label"),
    [
        ("ok", "length", "1-3"),
        ("I went to the beach with my family last summer and it was great", "length", "11-16"),
        ("I like tea.", "question", "none"),
        ("do you like it", "question", "asks"),
        ("I like tea. Do you?", "question", "tells_and_asks"),
        ("Hello!", "act", "greeting"),
        ("Thanks a lot", "act", "thanking"),
        ("I went home.", "act", "statement"),
        ("I like soup", "politeness", "none"),
        ("Could you please help?", "politeness", "more"),
        ("This is awful", "sentiment", "negative"),
        ("This is not bad", "sentiment", "positive"),
        ("lol u dont say", "typing", "chat"),
        ("Great!", "typing", "exclaims"),
        ("Sure, why not", "opening", "agrees"),
        ("Well I am not sure", "opening", "hesitates"),
        ("No thanks", "pushback", "refuses"),
        ("That's not what I meant", "pushback", "corrects"),
        ("I like your idea", "person", "both"),
        ("I want a cheap one", "wish", "wishes"),
        ("I have 2 cats", "disclosure", "several"),
        ("It is fine", "disclosure", "nothing"),
        ("We ate pizza for dinner", "topic", "food"),
    ],
)
def test_a_label_follows_from_its_cues(text: str, head: str, label: str):
    assert said("d", text).turns[0].labels[head] == label


def test_a_head_about_change_is_absent_at_first_and_then_given_what_was_before():
    first, second = said("d", "This is awful", "No, it is great").turns
    assert not CHANGES.keys() & first.labels.keys()
    assert second.labels["sentiment_change"] == "positive"
    assert context(second, "sentiment_change") == "statement>negative"
    assert context(second, "sentiment") == "statement"


def test_what_is_told_is_compared_given_how_much_was_told_before():
    turns = said("d", "I have 2 cats", "I like tea", "ok", "I want 3 cakes and 4 teas", "I live in Rome").turns
    assert [context(turn, "disclosure_timing") for turn in turns[1:]] == [f"statement>{told}" for told in "2334"]
    assert [turn.labels.get("disclosure_timing") for turn in turns] == [None, "one", "nothing", "several", "one"]


def test_an_end_is_compared_given_how_many_turns_there_were_before():
    turns = said("d", *["ok"] * 10).turns
    assert [context(turn, "ends") for turn in turns] == [f"statement>{place}" for place in "0123456677"]


def test_every_head_but_the_end_answers_for_a_later_turn():
    labels = said("d", "hi", "😀").turns[1].labels
    assert {*MATCHED, *REPORTED_ONLY} == {*labels, "ends"}
    assert labels.keys() > LINE_HEADS.keys()


def test_a_dialogue_is_summed_up_by_its_most_frequent_labels():
    assert summary(said("d", "ok", "ok", "What about you?").turns)["act"] == "agreement"
    assert summary(Sample("d", ()).turns) == {}
