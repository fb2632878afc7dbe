"""A problem's text in pieces that can be told in any order: its question first, then a piece a sentence, or a clause
where it stands alone. What points back is given its name where that is plain; else it stays with what it points to.

Rules of English sentences, no parser: what they cannot take apart stays together.
"""

import re
from collections.abc import Iterator, Sequence

from generators.tasks.executable import find_quantities

_ABBREVIATED = re.compile(r"\b(Mr|Mrs|Ms|Dr|St|vs|oz|lb|ft|No|approx)\.(?=\s)")
_SENTENCE = re.compile(r"(?<=[.!?])[\"'”’)]*\s+")
_ASKS = r"(?:how|what|which|who|whose|when|where|by how|in how|for how|at what|on which|in which|calculate|find)\b"
_CONDITION_FIRST = re.compile(
    rf"^(?P<given>(?:if|given that|assuming(?: that)?|when|since)\s.+?),\s*(?:then\s+)?(?P<asks>{_ASKS}.+)$",
    re.IGNORECASE | re.DOTALL,
)
_CONDITION_LAST = re.compile(
    rf"^(?P<asks>{_ASKS}.+?),?(?<!than)(?<!even)\s+(?P<given>(?:if|given that|assuming that)\s.+)\?$",
    re.IGNORECASE | re.DOTALL,
)
_LEADS_IN = re.compile(r"^(?:if|given that|assuming(?: that)?|when|since)\s+", re.IGNORECASE)
_JOINED = re.compile(r"(?:,\s*(?:and|but|while|so)|;|\s+(?:and|but|while))\s+")
_VERB = (
    r"(?:is|are|was|were|has|have|had|can|could|will|costs?|needs?|weighs?|gets?|got|gives?|gave|takes?|took|buys?"
    r"|bought|sells?|sold|eats?|ate|spends?|spent|makes?|made|pays?|paid|earns?|works?|runs?|reads?|goes|went|lasts?"
    r"|holds?|wants?|drinks?|keeps?|kept|finds?|found|loses?|lost|wins?|won|puts?|leaves?|left|lives?|\w+ed)"
)
_CLAUSE = re.compile(
    rf"^(?:(?:the|a|an|each|every|his|her|their|its|my|our|another|one)\s+(?:(?!that\b|which\b|who\b)[\w'’-]+\s+){{1,4}}?"
    rf"|there\s+|he\s+|she\s+"
    rf"|it\s+|they\s+|[A-Z][\w'’-]+\s+)(?:also\s+|only\s+|then\s+)?{_VERB}\b"
)
_ORDERED = re.compile(
    r"^(?:then|next|after (?:that|this|which|he|she|it|they)|afterwards?|later|finally|and|but|so(?! far)|also|however"
    r"|therefore|thus|in addition|additionally|instead|the (?:other|rest|remaining|same|former|latter)"
    r"|of (?:these|those|them|this)|another|both|neither|this|that|these|those|such|it(?! t(?:akes|ook)\b)|its|they"
    r"|their|them)\b",
    re.IGNORECASE,
)
_REST = re.compile(
    r"\b(?:then|the (?:others?|rest|remaining|remainder)|of (?:these|those|them)"
    r"|(?:double|half|twice|like|at) (?:this|that))\b",
    re.I,
)
_PERSON = re.compile(r"\b(he|she|his|her|hers|him)\b(?!['’]\w)|\b(he|she)(?=['’]\w)", re.IGNORECASE)
_THEY = re.compile(r"^(?:\w+\s+){0,3}?\b(?:they|them|their|it(?! t(?:akes|ook)\b)|its)\b", re.IGNORECASE)
_ORDINAL = re.compile(r"\s+\d+(?:st|nd|rd|th)\b")
_AFTER_OBJECT = re.compile(
    r"\s*(?:[.,;!?]|$)|\s+(?:a|an|the|some|more|another|that|to|for|and|in|on|at|by|from|with|back|if|when|up)\b"
)
"""What follows a `her` that is no possessive."""
_CAPITAL = re.compile(r"\b[A-Z][a-z]+\b")
_FUNCTION = frozenset(
    re.findall(
        r"\w+",
        "a after all also among an and around another any april as assuming at august because before both but by"
        " calculate can currently daily due initially originally between"
        " december do does during each every february find finally five for four friday from given half he her his how"
        " however i if in instead it its january july june last later march may monday most mr mrs ms my next nine no"
        " november now october of on once one only our out over saturday seven september she since six so some sunday"
        " ten that the their then there these they this those three thursday to today together tomorrow tuesday two"
        " unlike until wednesday we what when where which while who with yesterday you your"
        " additionally altogether besides despite eventually furthermore luckily meanwhile moreover normally overall"
        " recently similarly suddenly unfortunately usually",
    )
)


def pieces(text: str) -> tuple[str, list[str]]:
    """The question, and the other pieces in the order of the text. ValueError: `no_question`, or `two_questions`."""
    sentences = [s.replace("\0", ".") for s in _SENTENCE.split(_ABBREVIATED.sub("\\1\0", " ".join(text.split()))) if s]
    asking = [s for s in sentences if s.rstrip("\"'”’) ").endswith("?") or re.match(r"(calculate|find)\b", s, re.I)]
    if len(asking) != 1:
        raise ValueError("two_questions" if asking else "no_question")
    given, question = _unconditioned(asking[0])
    told = [s for s in sentences if s != asking[0]]
    told += [] if given is None else [given]
    people = names(text)
    return resolved(question, people), list(_gathered([part for s in told for part in clauses(s)], people))


def clauses(sentence: str) -> list[str]:
    """The sentence, or its main clauses where each has a quantity and a subject with a verb of its own."""
    for joint in _JOINED.finditer(sentence):
        first, rest = sentence[: joint.start()], sentence[joint.end() :]
        if _CLAUSE.match(rest) and all(any(find_quantities(part)) for part in (first, rest)):
            return [_finished(first), *clauses(_finished(rest))]
    return [_finished(sentence)]


def points_back(piece: str, people: Sequence[str], asked: Sequence[str] = ()) -> bool:
    """Whether a piece begins with, or says of somebody, what only another piece makes clear. `people`: of the problem;
    `asked`: of its question, which is always told first.
    """
    rest = _REST.search(piece)
    before = " ".join(piece[: rest.start()].split()[:-2]) if rest else ""  # "a third of them" has none before it
    if _ORDERED.match(piece) or _THEY.match(piece) or (rest and not any(find_quantities(before))):
        return True
    person = _PERSON.search(piece)
    return person is not None and not _named(piece[: person.start()], people) and len(asked) != 1


def names(text: str) -> list[str]:
    """Words that may be names: with a capital and never without; at a beginning alone no plural."""
    inside = {m[0] for m in re.finditer(r"(?<=[a-z0-9,;] )[A-Z][a-z]+\b", text)}
    words = _CAPITAL.findall(text)
    found = [w for w in words if w in inside or not w.endswith("s") or words.count(w) > 1]
    plain = _FUNCTION | set(re.findall(r"\b[a-z]+\b", text))
    found = [w for w in dict.fromkeys(found) if w.lower() not in plain]
    return [w for w in found if not (w.endswith("s") and w[:-1] in found)]


def resolved(piece: str, people: Sequence[str]) -> str:
    """With its first he or she named, where nobody else can be meant. A `her` before a number stays: it may own what is
    counted, or be given it.
    """
    person = _PERSON.search(piece)
    if person is None or len(people) != 1 or _named(piece[: person.start()], people):
        return piece
    word, rest = person[0].lower(), piece[person.end() :]
    if word == "her" and any(q.start <= 2 for q in find_quantities(rest)) and not _ORDINAL.match(rest):
        return piece
    owns = word == "his" or (word == "her" and not _AFTER_OBJECT.match(rest))
    name = f"{people[0]}'s" if owns else people[0]
    return f"{piece[: person.start()]}{name}{rest}"


def _named(text: str, people: Sequence[str]) -> bool:
    return any(name in text for name in people)


def _unconditioned(question: str) -> tuple[str | None, str]:
    """What a question is asked under, as a sentence, and the question without it."""
    if found := _CONDITION_FIRST.match(question):
        asks = found["asks"]
        return _finished(_LEADS_IN.sub("", found["given"])), asks[:1].upper() + asks[1:]
    if found := _CONDITION_LAST.match(question):
        return _finished(_LEADS_IN.sub("", found["given"])), f"{found['asks']}?"
    return None, question


def _gathered(parts: Sequence[str], people: Sequence[str]) -> Iterator[str]:
    """Each by itself, but for those that point back: they stay with the piece before them."""
    held = ""
    for part in parts:
        named = resolved(part, people)
        if held and not points_back(named, people):
            yield held
            held = named
        else:
            held = f"{held} {part}" if held else named
    if held:
        yield held


def _finished(sentence: str) -> str:
    plain = sentence.strip().rstrip(".,;:! ")
    return f"{plain[:1].upper()}{plain[1:]}."
