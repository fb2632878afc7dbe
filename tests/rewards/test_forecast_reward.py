"""Forecasts as rewards: joined by dialogue, and recomputed from their parts."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from played import services
from talks import talk

from pipelines.forecast_rows import FORECASTS, BaseRate, Cut, Rate, forecast_row
from rewards.forecast import Forecast
from schemas.dialogue import Dialogue
from schemas.errors import DataError
from schemas.judgement import RewardValue
from schemas.record import Record


def ended(success: bool, name: str) -> Dialogue:
    dialogue = talk(*[("user", "Go on."), ("assistant", "Well.")] * 2, name=name)
    return dialogue.model_copy(update={"outcome": {"success": success}})


def row(dialogue: Dialogue, turn: int, base: BaseRate, public: Rate) -> dict[str, Any]:
    return forecast_row(Cut(Record(dialogue=dialogue), turn), base, Rate(9, 10, 0), public, 0.5)


WON, LOST, UNCUT = ended(True, "won"), ended(False, "lost"), ended(True, "uncut")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("forecasts") / "rows.parquet"
    found = [
        row(WON, 2, BaseRate(1, 2), Rate(8, 10, 0, 50.0, 200)),
        row(WON, 3, BaseRate(2, 2), Rate(10, 10, 0, 50.0, 200)),
        row(LOST, 2, BaseRate(1, 2), Rate(1, 10, 0, 2.0, 200)),
    ]
    pq.write_table(pa.Table.from_pylist(found, FORECASTS), path)
    return path


async def values(reward: Forecast, dialogue: Dialogue) -> list[RewardValue]:
    return await reward.annotate(dialogue, services(str))


async def test_a_forecast_has_its_brier_score_and_skill_recomputable_from_the_parts(rows: Path):
    first, second = await values(Forecast(rows=rows), WON)
    assert (first.turn, first.value, first.n, first.stderr) == (1, 0.8, 10, pytest.approx((0.8 * 0.2 / 10) ** 0.5))
    assert first.parts["brier"] == pytest.approx(0.04) and first.parts["abstain_gold"] == "undecided"
    assert first.parts["skill"] == pytest.approx(1 - 0.04 / 0.25) and first.parts["privileged"] == 0.9
    assert (second.value, second.parts["brier"], second.parts["skill"]) == (1.0, 0.0, None)  # as sure a base rate


async def test_a_forecast_without_enough_cases_is_none_and_so_is_a_dialogue_that_was_not_cut(rows: Path):
    assert [(v.value, v.reason) for v in await values(Forecast(rows=rows), LOST)] == [(None, "too_few_matching")]
    assert [v.reason for v in await values(Forecast(rows=rows), UNCUT)] == ["not_cut"]
    assert [v.reason for v in await values(Forecast(), WON)] == ["no_forecasts"]


async def test_another_file_is_named_with_what_it_should_be(tmp_path: Path):
    other, text = tmp_path / "other.parquet", tmp_path / "text.parquet"
    pq.write_table(pa.table({"dialogue_id": ["won"]}), other)
    text.write_text("no parquet")
    for path in (other, text):
        with pytest.raises(DataError, match=f"{path.name}: holds no forecasts .* `overture forecast` wrote"):
            await values(Forecast(rows=path), WON)
