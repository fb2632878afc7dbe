"""Small published runs, made of hand-built records without playing anything."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml
from corpus_samples import to_table
from manifest_samples import full_manifest

from outputs.manifest import write_manifest
from outputs.parquet import write_table
from outputs.publish import Decision, publish
from schemas.judgement import Selection
from schemas.record import Record

KEPT = Decision(selection=Selection(keep=True))
DROPPED = Decision(selection=Selection(keep=False, reason="too_few_turns"))


def published_run(
    path: Path, records: Sequence[Record], dropped: Sequence[str] = (), recipe: str = "sample", **manifest: object
) -> Path:
    """`dropped`: ids that lie in `rejected/`."""
    shard = path.with_name(f"{path.name}.shard.parquet")
    write_table(shard, to_table(records))
    decisions: Mapping[str, Decision] = {
        r.dialogue.id: DROPPED if r.dialogue.id in dropped else KEPT for r in records if r.dialogue.origin is None
    }
    done = publish([shard], decisions, path, len(records), recipe)
    shard.unlink()
    families = tuple(sorted({r.dialogue.scenario.family for r in records}))
    known = {"recipe": recipe, "target": done.accepted, "published": done.splits, "families": families, **manifest}
    write_manifest(path / "manifest.json", full_manifest(**known))
    config = {"target": done.accepted, "families": [{"use": f"generators.families.{family}"} for family in families]}
    (path / "config.resolved.yaml").write_text(yaml.safe_dump(config))
    return path
