"""What is presented follows what lies in `data/`."""

from pathlib import Path

import pyarrow as pa
from published_samples import published_run
from view_samples import record

from outputs.manifest import read_manifest
from outputs.parquet import write_table
from outputs.store import read_table
from pipelines.publishing import present
from pipelines.rundir import RunDir
from schemas.table import SCHEMA


def test_when_data_is_written_anew_the_views_and_their_figures_follow(tmp_path: Path):
    path = published_run(
        tmp_path / "run", [record("q", "Which?", "a", "12", name=f"{n}", group=f"{n}") for n in range(3)]
    )
    run = RunDir(path)
    present(run, read_manifest(run.manifest))
    counts = {view.name: sum(view.rows.values()) for view in read_manifest(run.manifest).views}
    assert (counts["turns"], counts["sft"], counts["silence"]) == (12, 6, 0)
    assert "config_name: sft" in (path / "README.md").read_text()
    (data,) = (path / "data").glob("*.parquet")
    failed = pa.array([False] * 3)
    place = SCHEMA.get_field_index("success")
    write_table(data, read_table(data).set_column(place, SCHEMA.field(place), failed))
    present(run, read_manifest(run.manifest))
    summary = next(view for view in read_manifest(run.manifest).views if view.name == "sft")
    assert (summary.rows, summary.reason) == ({}, "no_rows")
    assert not (path / "views" / "sft").exists() and (path / "views" / "turns").is_dir()
    assert "config_name: sft" not in (path / "README.md").read_text()
