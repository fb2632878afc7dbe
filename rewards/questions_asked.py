"""How the learner asked (methods §12; §4's false alarms: asking where nothing is missing)."""

from rewards.folds import before_each, is_question, learner_turns
from schemas.contracts import Reward, Services
from schemas.dialogue import Dialogue
from schemas.judgement import RewardValue


class QuestionsAsked(Reward):
    """Number of learner turns that ask; whether that is good is for the parts and the reader to say.

    Parts: `hits` ask for a fact that had not come out; `repeated` ask only for what was asked or had come out before (a
    hit asked again for want of an answer is both); `asked_on_answerable` are all questions where a verifiable problem
    lacks nothing, else 0, and None without a verifier; `facts` are the ids hit, in order.
    """

    async def annotate(self, dialogue: Dialogue, services: Services) -> list[RewardValue]:
        if not learner_turns(dialogue):
            return [RewardValue(name="questions_asked", value=None, reason="no_learner_turns")]
        questions = hits = repeated = 0
        asked: set[str] = set()
        facts: list[str] = []
        for _, turn, known in before_each(dialogue):
            if turn.role != dialogue.learner or not is_question(turn):
                continue
            about = set(turn.facts_asked)
            questions += 1
            hits += bool(about - known)
            repeated += bool(about) and about <= known | asked
            facts += sorted(about - known - set(facts))
            asked |= about
        answerable = not any(f.required for f in dialogue.scenario.facts if f.holder != dialogue.learner)
        parts = {
            "hits": hits,
            "repeated": repeated,
            "facts": facts,
            "asked_on_answerable": None if dialogue.scenario.verifier is None else questions if answerable else 0,
        }
        return [RewardValue(name="questions_asked", value=questions, parts=parts)]
