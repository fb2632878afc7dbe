"""From the labels of turns to the figures of manifest, report and card."""

from dialogue_samples import conversation
from manifest_samples import full_manifest

from outputs.card import render_card
from outputs.manifest import FaultCount
from outputs.report import render_report
from pipelines.measure import fault_counts, gather
from schemas.judgement import Selection
from schemas.record import Record


def labelled(number: int, keep: bool, **labels: object) -> Record:
    record = conversation(number)
    turns = list(record.dialogue.turns)
    turns[1] = turns[1].model_copy(update={"labels": labels})
    dialogue = record.dialogue.model_copy(update={"turns": tuple(turns)})
    return record.model_copy(update={"dialogue": dialogue, "selection": Selection(keep=keep)})


FOUND = [{"kind": "restart", "detail": "Hi!"}]


def test_faults_are_counted_as_first_made_and_as_published():
    records = [
        labelled(0, True),
        labelled(1, True, remade=["copied_card"]),
        labelled(2, True, faults=FOUND),
        labelled(3, False, remade=["copied_card"], faults=FOUND),
    ]
    assert fault_counts(gather(records)) == [
        FaultCount(kind="copied_card", first=2, first_n=4, kept=0, kept_n=3),
        FaultCount(kind="restart", first=1, first_n=4, kept=1, kept_n=3),
    ]


def test_report_and_card_show_them_per_hundred_dialogues():
    manifest = full_manifest(faults=(FaultCount(kind="copied_card", first=6, first_n=24, kept=1, kept_n=12),))
    for page in (render_card(manifest, {}), render_report(manifest, [])):
        assert "copied card" in page
        assert "25" in page and "8.3" in page
        assert "6 in 24" in page and "1 in 12" in page
