import pytest
from talks import corpus, needs_corpora

from discriminators.features import normalised
from discriminators.learner_acts import ACTS, act_of
from discriminators.user_turns import Sample


@pytest.mark.parametrize(
    ("texts", "act"),
    [
        (["Hello!"], "greeting"),
        (["Hi, how are you?"], "greeting"),
        (["Hello, how can I help you today?"], "greeting"),
        (["Hi! What kind of films do you like?"], "question"),
        (["Which day?"], "question"),
        (["what is your zip code"], "question"),
        (["It costs 20 pounds and leaves at noon. Which day?"], "told_and_asked"),
        (["I see. Which day?"], "question"),
        (["It costs 20 pounds."], "statement"),
        (["Would you like me to book it?"], "offer"),
        (["You could try the Grand Hotel."], "offer"),
        (["How about Friday?"], "offer"),
        (["I'd recommend the second one, it is quieter."], "offer"),
        (["You're welcome, have a nice day!"], "closing"),
        (["Goodbye"], "closing"),
        (["Have a nice day! Anything else?"], "told_and_asked"),
        (["It is booked.", "Anything else?"], "question"),
        (["It is booked for you now.", "Anything else?"], "told_and_asked"),
    ],
)
def test_an_act_follows_from_its_cues(texts: list[str], act: str):
    assert act_of([normalised(text) for text in texts]) == act


@needs_corpora
@pytest.mark.parametrize("name", ["task_oriented__star", "open_domain__chitchat", "pedagogy__bridge"])
def test_every_act_of_real_dialogues_is_known_and_no_act_takes_them_all(name: str):
    found = [turn.given for d in corpus(name, 20) for turn in Sample.of(d).turns]
    assert set(found) <= set(ACTS)
    assert max(found.count(act) for act in set(found)) < 0.7 * len(found)
