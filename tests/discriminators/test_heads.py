import pytest
from talks import talk

from discriminators.heads import HEADS, TEXT_HEADS, labels, text_labels


@pytest.mark.parametrize(
    ("texts", "head", "label"),
    [
        (["ok", "yes"], "length", "1-3"),
        (["I went to the beach with my family last summer and it was great"], "length", "11-16"),
        (["I like tea.", "Me too."], "question", "none"),
        (["I like tea.", "Ok.", "do you like it"], "question", "some"),
        (["What about you?", "Why?"], "question", "often"),
        (["Hello!", "yes", "sure thing", "ok"], "act", "agreement"),
        (["Thanks a lot", "thank you"], "act", "thanking"),
        (["I went home."], "act", "statement"),
        (["I like soup"], "politeness", "none"),
        (["Could you please help?"], "politeness", "much"),
        (["We ate pizza for dinner"], "topic", "food"),
        (["It is what it is"], "topic", "other"),
    ],
)
def test_a_label_follows_from_its_cues(texts: list[str], head: str, label: str):
    assert text_labels(texts)[head] == label


def test_heads_look_at_the_partner_alone():
    dialogue = talk(("assistant", "What? Why? Could you please tell me?"), ("user", "I went home"))
    assert labels(dialogue)["question"] == "none"
    assert labels(dialogue)["politeness"] == "none"


def test_who_ends_is_whoever_has_the_last_word():
    assert labels(talk(("assistant", "Hi."), ("user", "Bye.")))["who_ends"] == "partner"
    assert labels(talk(("user", "Hi."), ("assistant", "Bye.")))["who_ends"] == "learner"


def test_every_head_answers_for_a_silent_partner():
    assert set(labels(talk(("assistant", "Hi.")))) == set(HEADS)
    assert set(text_labels([])) == set(TEXT_HEADS)
