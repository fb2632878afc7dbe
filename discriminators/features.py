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
_TOKENISED = (
    (re.compile(r"\b(ca|wo|do|does|did|is|are|was|were|has|have|had|could|would|should) n't\b"), r"\1n't"),
    (re.compile(r"(\w) '(s|d|m|re|ve|ll)\b"), r"\1'\2"),
    (re.compile(r"(\w) n't\b"), r"\1n't"),
    (re.compile(r" +([,.;:!?%)])"), r"\1"),
    (re.compile(r"([($]) +"), r"\1"),
    (re.compile(r"(\w) - (\w)"), r"\1-\2"),
)
_REPEATED = re.compile(r"([,.;:!?])[\s.!?,;:]*(?=\1)")


def normalised(text: str) -> str:
    """Lower case, plain quotes, single spaces; no markup, addresses, speaker prefixes, or full stop at the end."""
    text = unicodedata.normalize("NFKC", text).translate(_QUOTES)
    text = _SPEAKER.sub("", _STRIPPED.sub(" ", text)).lower()
    text = " ".join(text.split())
    for pattern, plain in _TOKENISED:
        text = pattern.sub(plain, text)
    return _REPEATED.sub("", text).strip().strip('"').rstrip(". ")


def partner_text(texts: Sequence[str]) -> str:
    """One dialogue's partner side, a line an utterance; lines that were markup alone are gone."""
    return "\n".join(line for line in map(normalised, texts) if line)
