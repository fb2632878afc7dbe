"""`report.html`: one self-contained page for the people who decide whether to use the dialogues."""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from outputs.charts import funnel_bars, funnel_table, pair_panels, realism_panels, reward_panels
from outputs.files import write_text
from outputs.manifest import LABEL_DISTANCES, Manifest
from outputs.selection_charts import selections
from outputs.templates import render
from schemas.record import Record

DIALOGUES_SHOWN = 12


def write_report(path: Path, manifest: Manifest, records: Iterable[Record]) -> None:
    """Writes the page. `records`: dialogues to read, of which the page shows a few of each family and policy."""
    write_text(path, render_report(manifest, list(records)))


def render_report(manifest: Manifest, records: Sequence[Record]) -> str:
    script = render("report.js.j2")
    shown = to_read(records)
    made = manifest.totals[0].count if manifest.totals else 0
    return render(
        "report.html.j2",
        manifest=manifest,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
        made=made,
        funnel=funnel_bars(manifest),
        funnel_parts=funnel_table(manifest),
        realism=realism_panels([m for m in manifest.realism if m.group != LABEL_DISTANCES]),
        selections=selections(manifest),
        rewards=reward_panels(manifest.rewards),
        policies=pair_panels(manifest.policies),
        records=shown,
        families=sorted({r.dialogue.scenario.family for r in shown}),
        played=sorted({r.dialogue.scenario.policy for r in shown}),
        completion_tokens=sum(t.completion for t in manifest.tokens.values()),
        priced=any(t.cost is not None for t in manifest.tokens.values()),
    )


def to_read(records: Sequence[Record], limit: int = DIALOGUES_SHOWN) -> list[Record]:
    """At most `limit` dialogues, families and policies taken in turn, each by id: the same whatever the order given."""
    queues: dict[tuple[str, str], list[Record]] = {}
    for record in sorted(records, key=lambda r: r.dialogue.id):
        queues.setdefault((record.dialogue.scenario.family, record.dialogue.scenario.policy), []).append(record)
    chosen: list[Record] = []
    for place in range(max(map(len, queues.values()), default=0)):
        chosen += [queues[key][place] for key in sorted(queues) if place < len(queues[key])]
    return chosen[:limit]
