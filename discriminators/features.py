"""What a discriminator may see of a text: the same on both sides, without the marks of how it was recorded.

Corpora differ by typography before they differ by behaviour (tokenised, lower-cased, anonymised, annotated), and
language models by markdown and closing full stops. What is left here is wording.
"""

import re
import unicodedata
from collections.abc import Sequence

_QUOTES = str.maketrans("‘’ʼ`“”«»–—", "''''\"\"\"\"--")

_STRIPPED = re.compile(
    r"""https?://\S+ | www\.\S+        # addresses
      | \{[^{}]*\}                     # {vocalsound}
      | </?[A-Z][A-Z_]*\s*/?>          # <UNSURE>, <UNIN/>
      | </?[a-z]+\s*/?>                # markup
      | @\d+                           # ReDial's films
      | \[[A-Z_]+\]                    # [NAME]
      | [*_#~|\\]+                     # markdown
    """,
    re.VERBOSE,
)
_SPEAKER = re.compile(
    r"^\s*(user|assistant|system|human|ai|bot|student|teacher|tutor|speaker ?\d?)\s*:\s*", re.IGNORECASE
)
_MARKED = re.compile(r"[{<@\[*_#~|\\/]")
"""What all but "www." of `_STRIPPED` cannot do without."""
_TOKENISED = (
    (" n't", re.compile(r"\b(ca|wo|do|does|did|is|are|was|were|has|have|had|could|would|should) n't\b"), r"\1n't"),
    (" '", re.compile(r"(\w) '(s|d|m|re|ve|ll)\b"), r"\1'\2"),
    (" n't", re.compile(r"(\w) n't\b"), r"\1n't"),
    *((f" {mark}", re.compile(f" +{re.escape(mark)}"), mark) for mark in ",.;:!?%)"),
    ("$ ", re.compile(r"\$ +"), "$"),
    ("( ", re.compile(r"\( +"), "("),
    (" - ", re.compile(r"(\w) - (\w)"), r"\1-\2"),
)
"""What must be there, pattern, what it becomes."""
_REPEATED = re.compile(r"([,.;:!?])[\s.!?,;:]*(?=\1)")


def normalised(text: str) -> str:
    """Lower case, plain quotes, single spaces; no markup, addresses, speaker prefixes, or full stop at the end.

    A pattern is only tried where something is there that it needs: most texts have none, and looking is cheap.
    """
    if not text.isascii() or "`" in text:
        text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    if "www." in text or _MARKED.search(text):
        text = _STRIPPED.sub(" ", text)
    if ":" in text:
        text = _SPEAKER.sub("", text)
    text = " ".join(text.lower().split())
    for mark, pattern, plain in _TOKENISED:
        if mark in text:
            text = pattern.sub(plain, text)
    return _REPEATED.sub("", text).strip().strip('"').rstrip(". ")


def partner_text(texts: Sequence[str]) -> str:
    """One dialogue's partner side, a line an utterance; lines that were markup alone are gone."""
    return "\n".join(line for line in map(normalised, texts) if line)


def readable(text: str) -> str:
    """For people who are to judge the wording: without the marks of how it was recorded, else as it was written.

    Names and addresses that were taken out say so; casing, stops and whatever looks like a tag stay.
    """
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    for pattern, plain in _RECORDED:
        text = pattern.sub(plain, text)
    for mark, pattern, plain in _TOKENISED:
        if mark in text and mark != " - ":
            text = pattern.sub(plain, text)
    return " ".join(text.split())


_RECORDED = (
    (re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"), ""),
    (re.compile(r"https?://\S+|www\.\S+"), "[link]"),
    (re.compile(r"@\d+|\[[A-Z_]+\]"), "[name]"),
    (re.compile(r"\{[^{}]*\}|</?[A-Z][A-Z_]*\s*/?>"), " "),
    (re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"^\s*(#+|[*+-])\s+", re.MULTILINE), ""),
    (_SPEAKER, ""),
)
