"""Every feature is what it was when the golden numbers were written, by code that was plainer and four times slower.

`golden_fingerprints.json`: per dialogue the features, the number of typos with a clear correction, and the CRC of its
normalised texts.
"""

from pathlib import Path
from zlib import crc32

import orjson
import pytest
from talks import corpus, needs_corpora, talk

from discriminators.features import normalised
from discriminators.fingerprint import fingerprint
from discriminators.spelling import typos
from schemas.dialogue import Dialogue

GOLDEN = orjson.loads(Path(__file__).with_name("golden_fingerprints.json").read_bytes())
PLANTED: tuple[tuple[str, ...], ...] = (
    ("",),
    ("   ", "...", "!?", "-"),
    ("I 'd like it , pls ( really ) .", "it wo n't do - no n't", "YOU 'LL SEE -- `quoted`", "$ 5 or ( $ 6 )"),
    ("dont u think thats wierd??", "definately not", "I recieve teh remeber", "becuase becuase becuase becuase"),
    ("Hi! <UNSURE> {vocalsound} [NAME] @134032 #tag a_b www.x.org https://recieve.example/teh", "User: what is it"),
    ("nice :) XD <3 ^_^ o_O -_-", "ratio 4:3 =) :D", "\U0001f600 ☀ ⭐", "a:b c=d e<f"),
    ("can you help me", "can you help me?", "can you help me please", "I want the sea", "no, I meant the mountains"),
    ("the sea", "mountains", "rivers", "the seas again", "lakes", "mountains again", "why not", "sea"),
    ("“Curly” ‘quotes’ and — dashes – ʼ", "naïve café ﬁne ½", "I’m sure it’s 10’s", "ΑΒΓ жди 你好"),
    (" ".join(f"word{i % 37} and then it's gone" for i in range(30)),),
    ("one two three four five six seven eight nine ten " * 6, "that is it." * 20),
    ("A", "B.", 'C."', "D!)", "E*", "F…", "“G", "(h", "\"i", "'J"),
)  # fmt: skip


def numbers(dialogue: Dialogue) -> list[float | None]:
    texts = "\n".join(normalised(turn.text) for turn in dialogue.turns if turn.text)
    clear = sum(typo.kind is not None for typo in typos(dialogue))
    return [*fingerprint(dialogue), clear, crc32(texts.encode())]


def same(found: list[float | None], golden: list[float | None]) -> bool:
    return found == [None if value is None else pytest.approx(value, abs=1e-9) for value in golden]


@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_planted_texts_have_the_numbers_they_had(number: int):
    dialogue = talk(*[("user", text) for text in PLANTED[number]], ("assistant", "Sandlerr, recieve"))
    assert same(numbers(dialogue), GOLDEN["planted"][number])


@needs_corpora
@pytest.mark.parametrize("name", GOLDEN["corpora"])
def test_real_dialogues_have_the_numbers_they_had(name: str):
    golden = GOLDEN["corpora"][name]
    for dialogue, row in zip(corpus(name, len(golden)), golden, strict=True):
        assert same(numbers(dialogue), row)
