"""What a message must be before it is believed: checks by code. Each raises InvalidOutput with the reason the funnel
will show.
"""

import re
from collections.abc import Sequence

from schemas.dialogue import Turn
from schemas.errors import InvalidOutput

_ASSISTANT_SPEAK = re.compile(
    r"\b(as an ai|ai language model|language model|how (can|may) i (help|assist)|assist you|feel free to|happy to help"
    r"|i'm here to|let me know if you|thank you for (sharing|reaching|your)|is there anything else)\b",
    re.IGNORECASE,
)
_REFUSAL = re.compile(
    r"\b(i['’]?m sorry|sorry|unfortunately),? (but )?i (can['’]?t|cannot|am unable|won['’]?t)\b"
    r"|\bi (can['’]?t|cannot) (assist|help) (you )?with\b",
    re.IGNORECASE,
)
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the i you he she it we they me my your his her its our their this that these those is are was were"
        " be been am do does did have has had to of in on at for with and or but so not no if then than as by from"
        " up out about just really very can could would will there here what how when who which too also some any"
        " all lot get got",
    )
)


def tidy(text: str, cut_short: bool) -> str:
    """One message, as typed: first line, no wrapping quotes, no bracket notes; a message cut by the token limit loses
    its last, unfinished sentence.
    """
    line = next((part.strip() for part in text.strip().splitlines() if part.strip()), "")
    line = re.sub(r"\s*\[[^\]]*\]?\s*", " ", line).strip().strip('"“”').strip()
    if cut_short:
        finished = re.match(r".*[.!?…]", line)
        if not finished:
            raise InvalidOutput("the message was cut by the token limit before its first sentence ended", "cut_short")
        line = finished.group().strip()
    return re.sub(r"\s+", " ", line)


def check_message(text: str, role: str, turns: Sequence[Turn], learner_like: bool) -> None:
    """Not empty, nobody else's line, no model's refusal, nothing said before; a simulated person never speaks as an
    assistant.
    """
    if not re.search(r"\w", text):
        raise InvalidOutput("empty message", "empty_message")
    if re.match(r"\s*(user|assistant|teacher|student|tutor|system|human|ai|me|you)\s*:", text, re.IGNORECASE):
        raise InvalidOutput(f"the {role}'s message begins with a role label", "role_confusion")
    if not learner_like and _ASSISTANT_SPEAK.search(text):
        raise InvalidOutput(f"the {role} speaks as an assistant: {text!r}", "role_confusion")
    if _REFUSAL.search(text):
        raise InvalidOutput(f"the {role} refuses: {text!r}", "refused")
    said = plain(text)
    for turn in turns:
        if turn.text is not None and _repeats(said, plain(turn.text)):
            raise InvalidOutput(f"repeats an earlier message: {text!r}", "repeats_earlier_message")


def _repeats(new: list[str], old: list[str]) -> bool:
    """Nearly the same words; short acknowledgements may recur unless they are the very same and longer than two
    words.
    """
    if len(new) <= 2:
        return False
    if new == old:
        return True
    if min(len(new), len(old)) < 5:
        return False
    return len(set(new) & set(old)) / len(set(new) | set(old)) > 0.75


def plain(text: str) -> list[str]:
    return re.findall(r"[a-z0-9']+", text.lower().replace("’", "'"))


def content_words(text: str) -> set[str]:
    """Stemmed by a suffix cut: enough to see whether a message carries a given content."""
    return {_stem(w) for w in plain(text) if w not in _STOP}


def _stem(word: str) -> str:
    word = word.removesuffix("'s")
    for suffix in ("ing", "ies", "ed", "es", "s"):
        if len(word) - len(suffix) >= 3 and word.endswith(suffix):
            return word[: -len(suffix)]
    return word


def coverage(text: str, content: str) -> float:
    """Share of the content's words that the text carries, in [0, 1]."""
    wanted = content_words(content)
    return len(wanted & content_words(text)) / len(wanted) if wanted else 1.0


def parroted(text: str, meant: str, turns: Sequence[Turn]) -> None:
    """Raises InvalidOutput when a message says back what the other side has just told; what answers a question may
    repeat it, and so may what is `meant` to be said ("i never give out my email": "they never ask for your email").
    """
    last = turns[-1].text if turns else None
    if last is None or "?" in last or len(told := content_words(last)) < 3:
        return
    if len(told & (content_words(text) - content_words(meant))) / len(told) >= 0.75:
        raise InvalidOutput(f"says back {last!r}: {text!r}", "parroted")


def added(text: str, source: str, heard: str | None) -> set[str]:
    """Content words of a message that stand neither in what it rewrites nor, but for one, in what it answers."""
    new = {w for w in content_words(text.replace("'", "").replace("’", "")) if w not in _CHATTY}
    new -= content_words(source.replace("'", "")) | content_words(source)
    echoed = sorted(new & content_words((heard or "").replace("'", "")))
    return new - set(echoed[:1])


def trimmed(text: str, source: str) -> str:
    """The rewritten message without what a small model hangs on its end ("... and never leave me alone so bad"): words
    behind the last of the source's, where its last content word is said. Nothing is cut behind a word that leads on.
    """
    words, meant = set(plain(source)) | content_words(source), [w for w in plain(source) if content_words(w)]
    said = list(re.finditer(r"[\w'’]+", text))
    ours = [n for n, word in enumerate(said) if words & {*plain(word[0]), *content_words(word[0])}]
    if not meant or not ours or not content_words(meant[-1]) <= content_words(text):
        return text
    hung_on = text[said[ours[-1]].end() :]
    last = plain(said[ours[-1]][0])
    if all(word in _LAUGHS for word in plain(hung_on)) or (set(last) & _LEADS_ON and last != plain(source)[-1:]):
        return text
    return text[: said[ours[-1]].end()] + (text.rstrip()[-1:] if text.rstrip()[-1:] in ".!" else "")


def scrambled(text: str, source: str) -> bool:
    """Whether content words of the source come in another order; one of five or more may ("money really is tight for
    me": "tight money really is for me").
    """
    here, there = ([s for w in plain(t) for s in sorted(content_words(w))] for t in (text, source))
    here, there = [w for w in here if w in there], [w for w in there if w in here]
    longest = [0] * (len(there) + 1)  # longest common subsequence, row by row
    for word in here:
        above = list(longest)
        for n, other in enumerate(there):
            longest[n + 1] = above[n] + 1 if word == other else max(above[n + 1], longest[n])
    shorter = min(len(here), len(there))
    return longest[-1] < shorter - (shorter >= 5)


_LEADS_ON = frozenset(
    re.findall(
        r"[\w']+",
        "i a an the to of and or is are am was were be been my your our their his her its what which with for than"
        " will would can could should that's it's i'm im ive i've",
    )
)
_LAUGHS = frozenset(["haha", "hahaha", "ha", "hehe", "lol", "lmao", "tho", "thanks", "thank", "you", "thx", "u"])
_CHATTY = content_words(
    "yeah yes yep ok okay well oh hey hi hello hmm hm haha lol ugh nah actually kinda like maybe please thanks guess"
    " think thing something anything one really super totally pretty quite lately usually anyway though still right now"
    " bit kind sort little only even probably honestly sorry im ive id dont doesnt didnt cant isnt thats its want need"
    " prefer love look somewhere anywhere good great sure mean know try best definitely"
)
_OPENER = re.compile(r"^([^,.!?;]{1,20})[,.!?;]+\s+(?=\S+\s+\S)")
_ANSWERS = frozenset(["yes", "yeah", "no", "nah"])


def fresh_opening(text: str, role: str, turns: Sequence[Turn]) -> str:
    """Without a first clause of up to four words that greets again, begins an earlier message of theirs, or says
    back what was just heard: small models begin every message like that.
    """
    found = _OPENER.match(text)
    if not found or len(opener := plain(found[1])) > 4:
        return text
    mine = [t for t in turns if t.role == role and t.text]
    again = [plain(_OPENER.split(str(t.labels.get("clean", t.text)))[1]) for t in mine if _OPENER.match(t.text or "")]
    greets = opener[0] in ("hi", "hey", "hello") and bool(mine)
    last = turns[-1] if turns and turns[-1].role != role else None
    said = [plain(c) for c in _CLAUSE.findall(str(last.labels.get("clean", last.text)))] if last else []
    if greets or (opener in again and not _ANSWERS & set(opener)) or opener in said:
        return text[found.end() :][:1].upper() + text[found.end() + 1 :]
    return text


_CLAUSE = re.compile(r"[^,.!?;]+[,.!?;]*\s*")


def pruned(text: str, heard: str | None, asks: bool) -> str:
    """The message without what a small model adds to it: a question where none is meant, and what was just heard said
    back. Clauses end at punctuation; a message of one clause stays as it is.
    """
    clauses = _CLAUSE.findall(text)
    if len(clauses) < 2:
        return text
    kept: list[str] = []
    for clause in clauses:
        words = content_words(clause)
        says_back = heard is not None and "?" not in heard and len(words) >= 2 and coverage(heard, clause) >= 0.8
        if says_back or ("?" in clause and not asks):
            continue
        kept.append(clause)
    if not any(re.search(r"\w", clause) for clause in kept):
        return text
    whole = "".join(kept).strip()
    return whole if len(kept) == len(clauses) else re.sub(r"[,;]$", ".", whole)
