"""What of planted personal data is found, what looks like it and is not, and how often people's own dialogues alarm.

    python benchmarks/personal_data.py [--each 200] [--seed 7] [--corpora DIR] [--show 0]

Values are made here, by rules of their own and not by the detector's; each stands in a sentence behind a message of a
real dialogue where DIR has some. Phone numbers that two corpora mark as such were written and marked by others.
Intervals are Wilson's, 95%. Found: the kind is right and the whole of the value lies inside. Precision counts every
find in planted and look-alike messages.
"""

import argparse
import re
import string
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

import pyarrow.parquet as pq  # noqa: E402

from filters.personal_data import KINDS, find  # noqa: E402
from schemas.identity import rng  # noqa: E402
from schemas.judgement import Interval, shown  # noqa: E402

NAMES = "anna ben chiara dmitri elif farid grace hiro ines jonas kemal lucia maya noor olga pablo".split()  # noqa: SIM905
FAMILIES = "smith garcia okafor nguyen ivanov rossi kowalski haddad larsen tanaka".split()  # noqa: SIM905
HOSTS = "mailbox.org example.com uni-bonn.de acme.co.uk post.ch kth.se fastnet.io city.gov".split()  # noqa: SIM905
FRAMES = (
    "my {what} is {value}",
    "You can use {value}.",
    "it's {value}, ok?",
    "{value}",
    "({value})",
    "Sure: {value} - please write it down",
    "ok so {value} and what do you need next?",
)


def digits(draw: Random, count: int) -> str:
    return "".join(draw.choices(string.digits, k=count))


def email(draw: Random) -> str:
    first, last = draw.choice(NAMES), draw.choice(FAMILIES)
    local = draw.choice(
        [f"{first}.{last}", f"{first[0]}{last}{draw.randint(1, 99)}", f"{last}_{first}", f"{first}+news"]
    )
    if draw.random() < 0.2:
        return f"{first} dot {last} at {draw.choice(['gmail', 'yahoo', 'outlook'])} dot com"
    return f"{local}@{draw.choice(HOSTS)}"


def phone(draw: Random) -> str:
    area, exchange, line = (
        draw.choice(["212", "415", "312", "617", "206", "305"]),
        str(draw.randint(220, 989)),
        digits(draw, 4),
    )
    forms = [
        f"{area}-{exchange}-{line}",
        f"({area}) {exchange}-{line}",
        f"+1 {area} {exchange} {line}",
        f"{area}.{exchange}.{line}",
        f"1-{area}-{exchange}-{line}",
        f"{area}{exchange}{line}",
        f"+44 20 7{digits(draw, 3)} {digits(draw, 4)}",
        f"+49 30 {draw.randint(2, 8)}{digits(draw, 6)}",
        f"+33 1 4{draw.randint(0, 9)} {digits(draw, 2)} {digits(draw, 2)} {digits(draw, 2)}",
        f"+91 98{digits(draw, 3)} {digits(draw, 5)}",
        f"+46 8 {draw.randint(1, 7)}{digits(draw, 2)} {digits(draw, 3)} {digits(draw, 2)}",
    ]
    return draw.choice(forms)


def card(draw: Random) -> str:
    prefix, length = draw.choice([("4", 16), ("51", 16), ("55", 16), ("37", 15), ("6011", 16)])
    body = prefix + digits(draw, length - len(prefix) - 1)
    total = 0
    for place, char in enumerate(reversed(body)):
        value = int(char) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    number = body + str(-total % 10)
    if length == 15:
        return draw.choice([number, f"{number[:4]} {number[4:10]} {number[10:]}"])
    return draw.choice([" ", "-", ""]).join(number[i : i + 4] for i in range(0, 16, 4))


def iban(draw: Random) -> str:
    upper = "".join(draw.choices(string.ascii_uppercase, k=4))
    country, account = draw.choice(
        [
            ("DE", digits(draw, 18)),
            ("GB", upper + digits(draw, 14)),
            ("NL", upper + digits(draw, 10)),
            ("ES", digits(draw, 20)),
            ("PL", digits(draw, 24)),
        ]
    )
    value = 0
    for char in account + country + "00":
        worth = ord(char) - 55 if char.isalpha() else int(char)
        value = (value * (100 if worth > 9 else 10) + worth) % 97
    whole = f"{country}{98 - value:02d}{account}"
    return whole if draw.random() < 0.5 else " ".join(whole[i : i + 4] for i in range(0, len(whole), 4))


def ssn(draw: Random) -> str:
    area = draw.choice([n for n in range(1, 900) if n != 666])
    return draw.choice("- ").join([f"{area:03d}", f"{draw.randint(1, 99):02d}", f"{draw.randint(1, 9999):04d}"])


def address(draw: Random) -> str:
    if draw.random() < 0.25:
        return "2001:" + ":".join(f"{draw.randint(0x400, 0xFFFF):x}" for _ in range(7)).replace("2001:db8", "2001:4860")
    while (first := draw.randint(11, 223)) in (100, 127, 169, 172, 192, 198, 203):
        pass
    return f"{first}.{draw.randint(0, 255)}.{draw.randint(0, 255)}.{draw.randint(1, 254)}"


def url(draw: Random) -> str:
    user = draw.choice(NAMES) + draw.choice(["", f":{digits(draw, 4)}x"])
    return f"{draw.choice(['https', 'ftp', 'ssh', 'git'])}://{user}@{draw.choice(HOSTS)}/{draw.choice(FAMILIES)}"


MAKE: Mapping[str, tuple[str, Callable[[Random], str]]] = {
    "url_user_info": ("link", url),
    "email": ("address", email),
    "iban": ("account", iban),
    "card_number": ("card", card),
    "us_ssn": ("social", ssn),
    "ip_address": ("machine", address),
    "phone": ("number", phone),
}


def alike(draw: Random) -> str:
    """No personal data, whatever it looks like."""
    n = digits
    return draw.choice(
        [
            f"order {draw.choice('ABCDEF')}{n(draw, 9)}",
            f"{draw.randint(1900, 2030)}-1{n(draw, 1)}-2{n(draw, 1)} 1{n(draw, 1)}:{n(draw, 2)}:00",
            f"${draw.randint(1, 999)},{n(draw, 3)},{n(draw, 3)}.{n(draw, 2)}",
            f"{n(draw, 4)} * {n(draw, 4)} = {n(draw, 8)}",
            f"{draw.randint(1, 9)}.{n(draw, 9)}",
            f"v{draw.randint(1, 9)}.{draw.randint(0, 40)}.{draw.randint(0, 40)}.{draw.randint(0, 40)}",
            f"192.168.{draw.randint(0, 255)}.{draw.randint(1, 254)}",
            f"ZIP {n(draw, 5)}-{n(draw, 4)}",
            f"@{draw.choice(NAMES)}{n(draw, 2)} said so at {draw.choice(['home', 'work'])} dot",
            f"ISBN 978-{n(draw, 1)}-{n(draw, 3)}-{n(draw, 5)}-{n(draw, 1)}",
            f"https://{draw.choice(HOSTS)}/~{draw.choice(NAMES)}",
            f"pages {n(draw, 3)}-{n(draw, 3)} of {n(draw, 4)}",
            f"{n(draw, 2)}:{n(draw, 2)}:{n(draw, 2)}",
            f"{draw.choice('ABC')}{draw.choice('DEF')}{n(draw, 2)} {n(draw, 4)} {n(draw, 4)}",
            f"{draw.choice(['4', '5'])}{n(draw, 3)} people and {n(draw, 4)} {n(draw, 4)} {n(draw, 4)} seats",
        ]
    )


def real_texts(folder: Path) -> Iterator[tuple[str, str, list[str]]]:
    """(corpus, dialogue, its texts)"""
    for file in sorted(folder.glob("*.parquet")):
        if file.name.startswith("problems__"):
            continue
        for row in pq.read_table(file, columns=["dialogue_id", "turns"]).to_pylist():
            yield file.stem.partition("__")[2], row["dialogue_id"], [t["text"] or "" for t in row["turns"]]


def share(hits: int, n: int) -> str:
    if not n:
        return "- (n 0)"
    return f"{shown(Interval.of_share(hits / n, n), 3)} (n {n})"


def planted(each: int, seed: int, carriers: list[str]) -> None:
    found, finds, right, stray = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    draw = rng(seed, "personal data")
    carriers = [text for text in carriers if not find(text)]
    for kind, (what, make) in MAKE.items():
        for _ in range(each):
            value = make(draw)
            before = f"{draw.choice(carriers)} " if carriers else ""
            text = before + draw.choice(FRAMES).format(what=what, value=value)
            start = text.index(value, len(before))
            end = start + len(value if kind != "url_user_info" else value.rpartition("/")[0])
            hits = find(text)
            found[kind] += any(f.kind == kind and f.start <= start and f.end >= end for f in hits)
            for f in hits:
                finds[f.kind] += 1
                right[f.kind] += f.kind == kind and f.start < start + len(value) and f.end > start
    for _ in range(each * len(MAKE)):
        text = draw.choice(FRAMES).format(what="thing", value=alike(draw))
        for f in find(text):
            finds[f.kind] += 1
            stray[f.kind] += 1
    print(f"\n{'kind':14} {'found':36} {'precision':36} in {each * len(MAKE)} look-alikes")
    for kind in KINDS:
        print(f"{kind:14} {share(found[kind], each):36} {share(right[kind], finds[kind]):36} {stray[kind]}")


def alarms(folder: Path, show: int) -> list[str]:
    began, turns = time.perf_counter(), 0
    dialogues, hit, finds = Counter[str](), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
    shown, carriers = Counter[str](), list[str]()
    for corpus, _, said in real_texts(folder):
        dialogues[corpus] += 1
        turns += len(said)
        if dialogues[corpus] <= 20:
            carriers += [text for text in said if 0 < len(text) < 200]
        found = [(text, f) for text in said for f in find(text)]
        hit.update({(corpus, f.kind) for _, f in found})
        finds.update((corpus, f.kind) for _, f in found)
        for text, f in found:
            if shown[f.kind] < show:
                shown[f.kind] += 1
                print(f"  {corpus} {f.kind}: {text[max(0, f.start - 30) : f.end + 10]!r}")
    seconds = time.perf_counter() - began
    print(f"\n{sum(dialogues.values())} real dialogues, {turns} messages in {seconds:.0f} s ({turns / seconds:,.0f}/s)")
    print(f"{'corpus':24} {'kind':14} finds  dialogues with one")
    for corpus, kind in sorted(finds):
        print(f"{corpus:24} {kind:14} {finds[corpus, kind]:5}  {share(hit[corpus, kind], dialogues[corpus])}")
    print(f"none in {', '.join(sorted(set(dialogues) - {corpus for corpus, _ in finds}))}")
    return carriers


def annotated(folder: Path) -> None:
    """Phone numbers that the makers of two corpora have marked as values: found, and of what is found marked."""
    print("\nmarked phone numbers     found: of dialogues with one, all      of values   finds that are marked")
    for corpus, slot in (("sgd", r"phone_number=([^)]*)"), ("multiwoz", r"Phone=([^)]*)")):
        whole, all_found, values, hits, finds, right = 0, 0, 0, 0, 0, 0
        for row in pq.read_table(folder / f"task_oriented__{corpus}.parquet", columns=["turns"]).to_pylist():
            lost = marked = 0
            for turn in row["turns"]:
                text = turn["text"] or ""
                said = [value for act in turn["acts"] or [] for value in re.findall(slot, act) if value in text]
                spans = [(text.index(v), text.index(v) + len(v)) for v in said if sum(map(str.isdigit, v)) >= 7]
                found = [f for f in find(text) if f.kind == "phone"]
                seen = [any(f.start <= start and f.end >= end for f in found) for start, end in spans]
                marked, lost, values, hits = (
                    marked + len(seen),
                    lost + seen.count(False),
                    values + len(seen),
                    hits + sum(seen),
                )
                finds += len(found)
                right += sum(any(f.start < end and start < f.end for start, end in spans) for f in found)
            whole += marked > 0
            all_found += marked > 0 and not lost
        print(f"{corpus:24} {share(all_found, whole):38} {hits} of {values}   {right} of {finds}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--each", type=int, default=200)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--corpora", type=Path, default=ROOT.parent / "shared" / "corpora")
    parser.add_argument("--show", type=int, default=0, help="finds of each kind printed, to be read")
    given = parser.parse_args()
    carriers = alarms(given.corpora, given.show) if given.corpora.is_dir() else []
    if given.corpora.is_dir():
        annotated(given.corpora)
    planted(given.each, given.seed, carriers)


if __name__ == "__main__":
    main()
