"""Two files compared: numbers or reasons, a page that shows hostile names as text, and clear refusals."""

import random
from math import isfinite
from pathlib import Path

import pytest
from corpus_samples import CORPUS, row, write
from talks import hashed_embed, talk

from discriminators.user_turns import Sample
from pipelines.judging import Row, Sides, compare, judged, page
from schemas.errors import DataError, InputError
from schemas.judgement import Interval

WORDS = ["river", "lamp", "garden", "train", "music", "winter", "bread", "letter", "island", "coffee", "dog", "piano"]
ABOUT = {
    "synthetic": "<script>alert(1)</script>.parquet",
    "reference": "path:real.parquet",
    "split": "test",
    "seed": 7,
    "masked": True,
    "dialogues": {"real": 1, "synthetic": 2},
    "turns": {"real": 3, "synthetic": 4},
    "seconds": 1.5,
}


def samples(side: str, count: int, tail: str = "", most: int = 6) -> list[Sample]:
    draw = random.Random(side)

    def said() -> str:
        return " ".join(draw.choices(WORDS, k=draw.randint(2, most))) + tail

    return [
        Sample.of(
            talk(
                *(pair for _ in range(3) for pair in (("assistant", "What do you like?"), ("user", said()))),
                name=f"{side}{n}",
            )
        )
        for n in range(count)
    ]


def found(real: list[Sample], synthetic: list[Sample]) -> dict[tuple[str, str], Row]:
    rows = judged(Sides(real, synthetic, False), hashed_embed, 0, lambda text: None)
    for r in rows:
        assert r.verdict
        assert (r.found is None) == r.verdict.startswith("not tested: ")
        numbers = (*(r.found or ()), *(r.floor or ()), r.p, r.p_holm)
        assert all(n is None or isfinite(n) for n in numbers)
    assert "<svg" in page(ABOUT, rows) or all(r.found is None for r in rows)
    return {(r.panel.split(" ")[0], r.name): r for r in rows}


def test_users_who_shout_are_told_from_real_ones_and_real_ones_are_not():
    real = samples("r", 60)
    shouting, alike = found(real, samples("s", 60, tail="!")), found(real, samples("a", 60))
    for key in (("MMD", "wording"), ("Energy", "wording"), ("Accuracy", "wording"), ("Labels", "typing")):
        assert shouting[key].verdict.startswith("differs"), key
        assert alike[key].verdict.startswith("no difference found"), key
    assert "is shown" in alike["Accuracy", "wording"].verdict


@pytest.mark.parametrize("count", [1, 5])
def test_a_handful_of_dialogues_gets_reasons_instead_of_numbers(count: int):
    for sides in (("r", 60), ("s", count)), (("r", count), ("s", 60)):
        rows = found(*(samples(*side) for side in sides))
        # no user of these dialogues, which were cut, could end one
        assert {r.verdict for r in rows.values() if r.name != "ends"} == {"not tested: too_few_groups"}
        assert rows["Labels", "ends"].verdict == "not tested: no_turns"


def test_emoji_and_a_turn_of_two_megabytes_are_judged_like_any_other():
    strange = [
        Sample.of(talk(("assistant", "Hi there?"), ("user", "😀" * (n % 3 + 1)), name=f"e{n}")) for n in range(20)
    ]
    long = Sample.of(talk(("assistant", "Hi there?"), ("user", "well " * 400_000), name="long"))
    rows = found(samples("r", 30), [*strange, long, *samples("s", 20)])
    assert rows["MMD", "meaning"].found is not None


def test_the_page_shows_what_it_is_given_as_text_and_runs_no_script():
    rows = [Row("MMD squared (0: alike)", "<b>", Interval(0.1, 0.0, 0.2, 9), (0.0, 0.1), 0.2, 0.4, "<i>differs</i>")]
    shown = page(ABOUT, rows)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.parquet" in shown
    assert "&lt;i&gt;differs&lt;/i&gt;" in shown
    assert "<script" not in shown and "<b>&lt;b&gt;" not in shown
    assert "default-src 'none'" in shown


def test_silent_users_are_refused():
    with pytest.raises(InputError, match="no user says a word"):
        judged(Sides([], [], False), hashed_embed, 0, lambda text: None)


def test_a_file_without_dialogues_is_refused_before_anything_is_started(tmp_path: Path):
    write(tmp_path / "none.parquet", [], CORPUS)
    write(tmp_path / "real.parquet", [row(n) for n in range(30)])
    with pytest.raises(DataError, match=r"none\.parquet: holds no dialogue"):
        compare(tmp_path / "none.parquet", f"path:{tmp_path / 'real.parquet'}", tmp_path / "out", 0)
    assert not (tmp_path / "out").exists()
