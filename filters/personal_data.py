"""Personal data in texts that has a form of its own: addresses, numbers and keys that name one person.

Found by pattern, and where the form has a check by it (the sum of a card number, the remainder of an IBAN, the plan of
a country's phone numbers). Names, streets and dates of birth have no such form and are not looked for.
"""

import re
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import Literal, NamedTuple

from phonenumbers import SUPPORTED_REGIONS, PhoneNumberMatcher
from pydantic import field_validator

from schemas.contracts import Filter
from schemas.dialogue import Dialogue
from schemas.judgement import KEEP, Verdict

Kind = Literal["url_user_info", "email", "iban", "card_number", "us_ssn", "ip_address", "phone"]
KINDS: tuple[Kind, ...] = ("url_user_info", "email", "iban", "card_number", "us_ssn", "ip_address", "phone")
"""What is found first is not looked at again: an address in a link is no mail address."""
REGIONS = SUPPORTED_REGIONS
"""Countries whose plan of phone numbers is known (ISO 3166)."""
HOME = ("US", "GB")
"""Of the corpora at hand: adding GB found 905 of 936 numbers of MultiWOZ and nothing else in 30,000 dialogues."""


class Found(NamedTuple):
    kind: Kind
    start: int
    end: int


def find(text: str, kinds: tuple[Kind, ...] = KINDS, regions: tuple[str, ...] = HOME) -> list[Found]:
    """In the order of the text, none over another. `regions`: of phone numbers written without their country's."""
    if not re.search(r"(?i)\d|@|\bat\b", text):
        return []
    found: list[Found] = []
    for kind in KINDS:
        spans = _phones(text, regions) if kind == "phone" else _FINDERS[kind](text)
        found += [Found(kind, *span) for span in spans if not any(span[0] < f.end and f.start < span[1] for f in found)]
    return sorted((f for f in found if f.kind in kinds), key=lambda f: f.start)


def masked(text: str, found: list[Found]) -> str:
    """`[email]` in the place of an address, and so on."""
    for f in reversed(found):
        text = f"{text[: f.start]}[{f.kind}]{text[f.end :]}"
    return text


class PersonalData(Filter):
    """Drops dialogues in which somebody says personal data that has a form of its own: mail and IP addresses, phone,
    card and account numbers, social security numbers, links with a user's name.
    """

    kinds: tuple[Kind, ...] = KINDS
    """What is looked for."""
    regions: tuple[str, ...] = HOME
    """Whose phone numbers are known without a country code (ISO 3166)."""

    @field_validator("regions")
    @classmethod
    def _known(cls, regions: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [region for region in regions if region not in REGIONS]:
            raise ValueError(f"'{unknown[0]}' is no country; give its two letters, as US or DE")
        return regions

    def judge(self, dialogue: Dialogue) -> Verdict:
        for i, turn in enumerate(dialogue.turns):
            if turn.text and (found := find(turn.text, self.kinds, self.regions)):
                return Verdict(keep=False, reason="personal_data", detail=f"turn {i}: {found[0].kind}")
        return KEEP


_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://[^\s/@]+@[^\s/@]+", re.I)
_PROVIDERS = "gmail|googlemail|yahoo|hotmail|outlook|live|icloud|aol|proton|protonmail|gmx|mail"
_EMAIL = re.compile(
    r"(?<![\w.+-])\w[\w.+-]*@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,24}(?![\w-])"
    r"|(?<![\w.+-])\w[\w.+-]*(?: (?:dot|underscore|dash) \w[\w+-]*)*"
    rf"(?: at (?:{_PROVIDERS}) dot | ?[(\[]at[)\]] ?[\w-]+(?:\.| dot | ?[(\[]dot[)\]] ?))"
    r"(?:com|org|net|edu|gov|io|co|me|de)\b",
    re.I,
)
"""Written, or as people spell one out."""
_IBAN = re.compile(r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}")
_CARD = re.compile(r"(?<![\w.])(?:\d[ -]?){12,18}\d(?![\w-]|\.\d)")
_ISSUED = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|5[1-5]\d{14}|2[2-7]\d{14}|3[47]\d{13}|3[0689]\d{12}|35\d{14}"
    r"|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17}"
)
"""Visa, Mastercard, American Express, Diners, JCB, Discover, UnionPay, in the lengths they have."""
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}([- ])(?!00)\d{2}\1(?!0000)\d{4}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?!\w|\.\w)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_PHONE_LIKE = re.compile(r"(?<![\w.+-])(?:\+?1[ .-]?)?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[.-]\d{4}(?![\w-]|\.\d)")
"""As North American numbers are written; those nobody has (555-0100), which models make up, among them."""
_IBAN_LENGTHS: Mapping[str, int] = {
    country: int(length)
    for country, length in re.findall(
        r"([A-Z]{2})(\d\d)",
        "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18"
        " FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 LC32 LI21 LT20"
        " LU20 LV21 LY25 MC27 MD24 ME22 MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SC31 SD18"
        " SE24 SI19 SK24 SM27 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20",
    )
}
"""Of the SWIFT registry."""


def _plain(
    pattern: re.Pattern[str], valid: Callable[[str], bool] = lambda _: True
) -> Callable[[str], list[tuple[int, int]]]:
    return lambda text: [m.span() for m in pattern.finditer(text) if valid(m.group())]


def _ibans(text: str) -> list[tuple[int, int]]:
    """Cut where its country's numbers end: what stands behind may be letters, too."""
    spans: list[tuple[int, int]] = []
    for match in _IBAN.finditer(text):
        places = [p for p in range(*match.span()) if text[p] != " "]
        length = _IBAN_LENGTHS.get(match.group()[:2], 99)
        if len(places) >= length and _remainder("".join(text[p] for p in places[:length])) == 1:
            spans.append((match.start(), places[length - 1] + 1))
    return spans


def _remainder(iban: str) -> int:
    """ISO 7064, mod 97-10."""
    return int("".join(str(int(c, 36)) for c in iban[4:] + iban[:4])) % 97


def _is_card(text: str) -> bool:
    """A known issuer's length, and Luhn's sum (ISO/IEC 7812)."""
    digits = [int(c) for c in text if c.isdigit()]
    doubled = [sum(divmod(2 * d, 10)) if n % 2 else d for n, d in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0 and bool(_ISSUED.fullmatch("".join(map(str, digits))))


def _is_public(text: str) -> bool:
    """An address of the internet: those of a home network are everybody's, and 2.6.28.12 is a version of something."""
    try:
        address = ip_address(text)
    except ValueError:
        return False
    version = address.version == 4 and address.packed[0] < 10 and max(address.packed) < 100
    return address.is_global and not version


def _addresses(text: str) -> list[tuple[int, int]]:
    return [m.span() for pattern in (_IPV4, _IPV6) for m in pattern.finditer(text) if _is_public(m.group())]


_NO_PHONE = re.compile(r"[\d,]+\.\d+|.*  .*|(?:19|20)\d\d-\d\d-\d\d.*")
"""Decimals, columns of a table, and dates are grouped like the numbers of some country."""


def _phones(text: str, regions: tuple[str, ...]) -> list[tuple[int, int]]:
    if sum(map(str.isdigit, text)) < 7:
        return []
    found = [m.span() for m in _PHONE_LIKE.finditer(text)]
    for region in regions:
        for match in PhoneNumberMatcher(text, region):
            if _NO_PHONE.fullmatch(match.raw_string) or text[: match.start].endswith((".", "_")):
                continue
            if not any(match.start < end and start < match.end for start, end in found):
                found.append((match.start, match.end))
    return found


_FINDERS: Mapping[Kind, Callable[[str], list[tuple[int, int]]]] = {
    "url_user_info": _plain(_URL),
    "email": _plain(_EMAIL),
    "iban": _ibans,
    "card_number": _plain(_CARD, _is_card),
    "us_ssn": _plain(_SSN),
    "ip_address": _addresses,
}
