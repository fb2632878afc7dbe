"""Whole dialogues of a run, unedited, as pages to read: `python benchmarks/samples.py RUN_DIR docs/samples [N]`.

The first N accepted dialogues of each family in the order of their ids, so that nobody chose them.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

from outputs.store import dialogue_files, read_records
from schemas.record import Record

SHOWN = 10
_LATENTS = ("cell", "background", "patience", "cooperativeness", "tells", "concerns", "withheld")


def page(family: str, records: list[Record], source: str) -> str:
    head = (
        f"# {family}: {len(records)} dialogues, unedited\n\nMade by `{source}`; the first by id: nobody chose them.\n"
    )
    return "\n".join([head, *(part for r in records for part in shown(r))])


def shown(record: Record) -> Iterator[str]:
    scenario = record.dialogue.scenario
    latents = {name: scenario.session_latents[name] for name in _LATENTS if name in scenario.session_latents}
    yield f"## {scenario.base_case_id}, {scenario.policy}\n"
    yield ", ".join(f"{name}: {value}" for name, value in latents.items()) + "\n"
    for turn in record.dialogue.turns:
        said = (turn.text or "").replace("*", "\\*").replace("_", "\\_").replace("<", "&lt;")
        yield f"- **{turn.role}** ({turn.intent_requested}): {said}"
    ending, success = record.dialogue.ending, record.dialogue.outcome.get("success")
    yield f"\nEnds: {ending.reason}{f' by {ending.by}' if ending.by else ''}; success: {success}\n"


def main(run: Path, folder: Path, most: int) -> None:
    by_family: dict[str, list[Record]] = {}
    for record in sorted(read_records(dialogue_files(run)), key=lambda r: r.dialogue.id):
        by_family.setdefault(record.dialogue.scenario.family, []).append(record)
    folder.mkdir(parents=True, exist_ok=True)
    for family, records in sorted(by_family.items()):
        (folder / f"{family}.md").write_text(page(family, records[:most], "overture run recipes/simulators.yaml"))
        print(f"{folder / family}.md: {min(most, len(records))} of {len(records)}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        print(__doc__)
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else SHOWN)
