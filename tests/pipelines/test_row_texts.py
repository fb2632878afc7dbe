"""Every text of a row, and nothing else of it, is seen and can be rewritten."""

from typing import Any

from corpus_samples import to_table
from dialogue_samples import PLAN_SECRET, SECRET, conversation, tutoring

from pipelines.row_texts import rewritten, texts

ROW = to_table([tutoring()]).to_pylist()[0]


def test_texts_of_all_columns_are_seen_where_they_stand():
    seen = dict(texts(ROW))
    assert seen["goal"] == "Find what three pencils cost."
    assert seen["facts[0].text"] == seen["views.teacher.facts[0].text"] == SECRET
    assert seen["plan.route"] == PLAN_SECRET and seen["views.student.public"] == "What do three pencils cost?"
    assert seen["messages[0].content"] == seen["turns[0].text"]
    assert not any(where.split("[")[0].split(".")[0] in ("dialogue_id", "policy", "split") for where in seen)


def test_a_row_in_which_no_text_changes_is_the_same_row():
    for record in (tutoring(), conversation()):
        row = to_table([record]).to_pylist()[0]
        assert rewritten(row, lambda _, text: text) == row


def test_every_text_is_rewritten_and_the_row_stays_a_row():
    def marked(_: str, text: str) -> str:
        return text + "#"

    new: dict[str, Any] = rewritten(ROW, marked)
    assert dict(texts(new)) == {where: text + "#" for where, text in texts(ROW)}
    assert new["dialogue_id"] == ROW["dialogue_id"] and new["rewards"][0]["value"] == ROW["rewards"][0]["value"]
    assert set(new) == set(ROW) and SECRET + "#" in new["views"]
