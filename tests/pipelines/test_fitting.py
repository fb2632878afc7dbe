"""`overture fit`: what simulated users are drawn from."""

from pathlib import Path

import pytest
from corpus_samples import row, write

from generators.latents.fitted import FittedLatents, committed
from generators.latents.hand_labels import HandLabel
from pipelines import fitting
from pipelines.fitting import PEOPLE, fit_latents, measure_agreement
from pipelines.reference import load_reference
from schemas.errors import DataError

SHORT = [{"role": "user" if n % 2 else "assistant", "text": "yes i do" if n % 2 else "Do you run?"} for n in range(8)]


def corpus(folder: Path, rows: int = 60) -> str:
    turns = [{**turn, "acts": []} for turn in SHORT]
    return f"path:{write(folder / 'toy.parquet', [{**row(n), 'turns': turns} for n in range(rows)])}"


def test_a_reference_nobody_has_labelled_is_measured_and_its_intents_are_not_fitted(tmp_path: Path):
    spec = corpus(tmp_path)
    found = fit_latents(spec, load_reference(spec, tmp_path / "cache"))
    assert found.intents is None and found.agreement is None
    assert "no hand labels" in (found.intents_missing or "")
    assert found.words["all"] == (3,) * 9 and found.partner_ends == 1.0
    assert {p.words for p in found.people} == {3.0} and {p.lower_case for p in found.people} == {1.0}
    assert found.leaves["first"] == 0.0 and found.messages == 4 * found.dialogues
    assert found.people[0].typing().casing == "lower"


def test_what_is_written_is_what_a_recipe_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    spec = corpus(tmp_path)
    assert fitting.fit(spec, tmp_path / "toy.json") == 0
    assert "not fitted: no hand labels" in " ".join(capsys.readouterr().out.split())
    found = FittedLatents.model_validate_json((tmp_path / "toy.json").read_bytes())
    assert found.reference == spec and found.version == 1


def test_a_reference_whose_partners_say_next_to_nothing_has_nobody_to_draw(tmp_path: Path):
    turns = [{"role": "assistant", "text": "Hm?", "acts": []}] * 4 + [{"role": "user", "text": "ok", "acts": []}] * 2
    spec = f"path:{write(tmp_path / 'toy.parquet', [{**row(n), 'turns': turns} for n in range(40)])}"
    with pytest.raises(DataError, match="there is nobody to draw"):
        fit_latents(spec, load_reference(spec, tmp_path / "cache"))


def label(first: str, second: str) -> HandLabel:
    return HandLabel("toy", "dev", "d", 0, first, second)  # pyright: ignore[reportArgumentType]


def test_agreement_is_the_mean_over_both_labellers_with_an_interval():
    rows = [(label("ask", "ask"), "ask"), (label("bye", "bye"), "bye"), (label("bye", "ask"), "ask")]
    found = measure_agreement(rows * 30)
    assert found is not None and found.n == 90
    assert found.low < found.kappa < found.high and found.kappa == pytest.approx((0.4 + 1) / 2, abs=0.001)
    assert measure_agreement([]) is None


def test_the_committed_latents_are_of_the_default_reference_and_were_shown_to_agree_with_people():
    found = committed("small_talk_latents")
    assert found.reference == "pypi:chitchat-dataset" and len(found.people) == PEOPLE
    assert found.intents is not None and found.agreement is not None
    assert found.agreement.kappa >= fitting.LEAST_KAPPA and found.agreement.n == 150
