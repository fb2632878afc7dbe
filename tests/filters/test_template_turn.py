from dialogue_samples import conversation

from filters.template_turn import TemplateTurn
from schemas.dialogue import Dialogue


def marked(role: str) -> Dialogue:
    """A sample conversation whose last turn of `role` is in the program's words."""
    dialogue = conversation(1).dialogue
    n = max(i for i, t in enumerate(dialogue.turns) if t.role == role)
    turn = dialogue.turns[n].model_copy(update={"labels": {"fallback": "fact_not_said"}})
    return dialogue.model_copy(update={"turns": (*dialogue.turns[:n], turn, *dialogue.turns[n + 1 :])})


def test_a_template_in_the_partners_mouth_drops_the_dialogue_and_says_why_it_was_needed():
    dialogue = marked(conversation(1).dialogue.partner)
    assert TemplateTurn().judge(dialogue).reason == "template_turn"
    assert [f.detail for f in TemplateTurn().faults(dialogue)] == ["fact_not_said"]


def test_a_dialogue_of_a_models_words_stays():
    assert TemplateTurn().judge(conversation(1).dialogue).keep
    assert TemplateTurn().judge(marked(conversation(1).dialogue.learner)).keep
