from talks import talk

from discriminators.user_turns import Sample
from schemas.dialogue import Ending, Turn
from schemas.scenario import View

QUESTION = ("assistant", "Which day?")


def test_a_turn_is_given_the_act_it_answers():
    dialogue = talk(("user", "A table please"), QUESTION, ("user", "Friday."), ("user", "Or Sunday"))
    assert [(t.text, t.given) for t in Sample.of(dialogue).turns] == [
        ("a table please", "start"),
        ("friday", "question"),
        ("or sunday", "self"),
    ]


def test_the_assistants_words_change_nothing_but_what_is_given():
    one, other = (
        Sample.of(talk(("user", "Hi"), ("assistant", said), ("user", "I like jazz"))).turns[1]
        for said in ("Which music do you like?", "Which of these three would you call the best one?")
    )
    assert one == other


def test_markup_silence_and_the_problem_read_out_are_no_turns():
    view = View(role="user", brief="", public="What is 2 + 2?")
    silent = Turn(role="user", kind="silence", text=None)
    dialogue = talk(("user", "What is 2 + 2?"), QUESTION, silent, ("user", "{vocalsound}"), views=[view])
    assert Sample.of(dialogue).turns == ()


def ends(*said: tuple[str, str], ending: Ending, policy: str = "external") -> list[str | None]:
    dialogue = talk(*said, ending=ending)
    scenario = dialogue.scenario.model_copy(update={"policy": policy})
    turns = Sample.of(dialogue.model_copy(update={"scenario": scenario})).turns
    return [turn.labels.get("ends") for turn in turns]


LEAVES = (("user", "Hi"), QUESTION, ("user", "None, bye"))


def test_a_user_ends_a_dialogue_with_the_last_word_or_before_a_farewell():
    left = Ending(reason="closed_by_partner")
    assert ends(*LEAVES, ending=left) == ["goes_on", "ends"]
    assert ends(*LEAVES, ("assistant", "Goodbye!"), ending=left) == ["goes_on", "ends"]
    assert ends(*LEAVES, ("assistant", "Then Friday it is."), ending=left) == ["goes_on", "goes_on"]


def test_whether_users_end_a_cut_dialogue_is_not_known():
    assert ends(*LEAVES, ending=Ending(reason="external", detail="window")) == ["goes_on", None]
    assert ends(*LEAVES, ending=Ending(reason="max_turns")) == ["goes_on", None]


def test_users_of_a_beginning_go_on_where_they_speak_again_after_it():
    assert ends(*LEAVES, ending=Ending(reason="external", detail="goes_on")) == ["goes_on", "goes_on"]
    assert ends(*LEAVES, QUESTION, ending=Ending(reason="external", detail="goes_on")) == ["goes_on", "goes_on"]


def test_nobody_asks_when_users_of_a_proactive_learner_end():
    assert ends(*LEAVES, ending=Ending(reason="closed_by_partner"), policy="proactive") == [None, None]


def test_masked_turns_keep_their_labels_and_lose_what_they_are_about():
    (turn,) = Sample.of(talk(("user", "I'd like to book 12 tickets for Hamlet"))).turns
    (masked,) = Sample.of(talk(("user", "I'd like to book 12 tickets for Hamlet"))).masked().turns
    assert masked.text == "i'd like to thing 0 things for thing"
    assert masked.labels == turn.labels
