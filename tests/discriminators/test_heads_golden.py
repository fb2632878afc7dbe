"""Every label and every residual is what it was when the golden numbers were written, by code that was plainer and
slower: `golden_heads.json` has the CRC of a dialogue's turns with their labels, and residuals of whole dialogues.
"""

from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import orjson
import pytest
from talks import corpus, hashed_embed, needs_corpora, talk

from discriminators.given import fit_given
from discriminators.heads import TURNS
from discriminators.user_turns import Sample
from schemas.dialogue import Dialogue, Ending

GOLDEN = orjson.loads(Path(__file__).with_name("golden_heads.json").read_bytes())
CORPORA = (
    "task_oriented__sgd",
    "task_oriented__star",
    "task_oriented__multiwoz",
    "recommendation__redial",
    "negotiation__persuasion_for_good",
    "open_domain__chitchat",
    "multiparty__irc_threads",
    "pedagogy__bridge",
    "expert_intake__primock57",
)
"""Tasks, talk, chat, transcripts: with slang, faces, markup, long turns and turns in a row."""
PLANTED: tuple[tuple[str, ...], ...] = (
    ("", "   ", "...", "!?", "-", "?"),
    ("Hi", "hello?", "Good morning! how are you", "hey, what's up", "good day", "HI THERE"),
    ("bye", "Goodbye.", "see ya", "have a nice day", "ok gotta go", "take care!!"),
    ("thanks", "ok, thank you", "great, thanks a lot. What about tomorrow?", "Thx. Bye", "oh thanks"),
    ("no", "Nope", "not really", "I don't want that", "no, I said friday", "never mind", "actually, no", "well, actually"),
    ("yes", "yeah I agree", "ok sure", "haha yes", "got it", "me too", "sounds good", "I agree to that", "yessss", "k"),
    ("please", "could you tell me", "excuse me, sorry", "thank you, you're welcome", "I appreciate it, thanks, pls"),
    ("I want a cheap one", "it must be near", "at least 3", "help me", "I'm really also hoping", "i was just looking"),
    ("lol", "u r gr8", "sooo", "what!!", ":) ok", "dont", "\U0001f600", "☀", "hmmm", "oh :P", "n/a ...", "it wont"),
    ("I like tea. Do you?", "Do you like it. I do", "what is it", "and so what is it", "well, is it", "it is. is it"),
    ("not good", "never ever bad", "not a very bad one", "love hate love", "no good bad good", "isn't great"),
    ("I have 2 cats and 3,000.50 dogs at 10:30", "my favourite film is Alien", "my name and job are gone. I like it"),
    ("I really just want pizza! I love it", "my mum's is nice", "twenty on monday", "i went to it: i had soup, bread"),
    ("me", "you", "my, your", "we're", "im", "u", "ourselves", "mine's", "i'm", "you've", "yours truly", "us all"),
    ("we ate pizza while we watched movies", "music or sport", "football team on tv", "read a book", "the exam at work"),
    ("I’m “sure” — it’s naïve ﬁne ½", "ΑΒΓ жди 你好", "I 'd like that , no n't", "İstanbul ß ſ K", "it\u2028is\nso? no"),
    ("User: what is it", "@134032 [NAME] {vocalsound}", "www.x.org a_b #tag", "this isn't what i asked", "you misheard"),
    ("one two three " * 60, "word's it's don't " * 40, "why? " * 30, "a" * 300, "i like " + "x " * 200),
    ("well well", "uh", "because it is", "if so", "the one", "I", "'tis", "5 of them", "and then", "so", "maybe", "but no"),
)  # fmt: skip
ASKED = ("Hello!", "Which day?", "It is open. Which day?", "Would you like tea?", "I see.", "Bye!", "Welcome, I'm Al")


def crc(dialogue: Dialogue) -> int:
    sample = Sample.of(dialogue)
    before = [sorted((name, label) for name, label in t.before.items() if name != TURNS) for t in sample.turns]
    turns = [(t.text, t.given, sorted(t.labels.items()), b) for t, b in zip(sample.turns, before, strict=True)]
    return crc32(orjson.dumps([turns, [t.text for t in sample.masked().turns]]))


def planted(number: int) -> Dialogue:
    """After each of its texts, and twice at the end, the other side says one of the things that are answered."""
    texts = PLANTED[number]
    said = [(("user", text), ("assistant", ASKED[(number + n) % len(ASKED)])) for n, text in enumerate(texts)]
    flat = [turn for pair in said for turn in pair]
    closed = Ending(reason="closed_by_partner")
    return talk(*flat, ("user", texts[0]), ("user", texts[-1]), ("assistant", "It is. Bye!"), ending=closed)


def residuals(name: str) -> list[list[float]]:
    """Of five dialogues, given sixty others."""
    samples = [Sample.of(d) for d in corpus(name, 65)]
    given = fit_given(samples[:60], hashed_embed, seed=0, components=0)
    found = [*given.errors.values(), *given.residuals(samples[60:])]
    return [[round(float(x), 5) for x in row] for row in found]


def everything() -> dict[str, object]:
    return {
        "planted": [crc(planted(n)) for n in range(len(PLANTED))],
        "corpora": {name: [crc(d) for d in corpus(name, 60)] for name in CORPORA},
        "residuals": {name: residuals(name) for name in CORPORA[::2]},
    }


@pytest.mark.parametrize("number", range(len(PLANTED)))
def test_planted_turns_have_the_labels_they_had(number: int):
    assert crc(planted(number)) == GOLDEN["planted"][number]


@needs_corpora
@pytest.mark.parametrize("name", CORPORA)
def test_real_turns_have_the_labels_they_had(name: str):
    assert [crc(d) for d in corpus(name, len(GOLDEN["corpora"][name]))] == GOLDEN["corpora"][name]


@needs_corpora
@pytest.mark.parametrize("name", CORPORA[::2])
def test_residuals_are_what_they_were(name: str):
    close: Sequence[object] = [pytest.approx(row, abs=2e-5) for row in GOLDEN["residuals"][name]]
    assert residuals(name) == close
