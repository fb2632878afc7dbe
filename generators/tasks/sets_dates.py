"""Sets of names and things, and the calendar."""

from collections.abc import Sequence
from datetime import date, timedelta
from random import Random

from generators.tasks.problem import Draft, Given, Idle, templates
from generators.tasks.words import DAYS, MONTHS, listed, names

FOODS = ("bread", "milk", "eggs", "rice", "apples", "butter", "cheese", "honey", "beans", "salt")
DAY = timedelta(days=1)


def _day(rng: Random) -> date:
    """A day early in its month, so that small sums of days are easy."""
    return date(rng.randint(2023, 2027), rng.randint(1, 12), rng.randint(2, 12))


def _other_days(day: date) -> tuple[date, ...]:
    return (day + DAY, day + 2 * DAY, day - DAY)


def _group(id: str, slot: str, members: Sequence[str], sentence: str, other: Sequence[str]) -> Given:
    """A fact whose value is a set: `sentence` holds `{}` for the listed members."""
    text = listed(sorted(members))
    return Given(id, slot, frozenset(members), sentence.format(text), (frozenset(other),), text)


def trip_end(rng: Random) -> Draft:
    start, days = _day(rng), rng.randint(3, 14)
    group = rng.choice(("class", "choir", "team", "band"))
    return Draft(
        (
            f"A {group} goes on a trip.",
            Given("start", "the first day of the trip", start, f"The trip starts on {start}.", _other_days(start)),
            Given(
                "days",
                "how many days after the start the trip ends",
                days,
                f"The trip ends {days} days after it starts.",
            ),
        ),
        "On which date does the trip end?",
        lambda start, days: start + days * DAY,
        "Count the days forward from the start.",
        "{days} days after {start} is {answer}.",
        "date",
    )


def days_between(rng: Random) -> Draft:
    start, days = _day(rng), rng.randint(4, 15)
    end = start + days * DAY
    part = rng.choice(("leaf", "flower", "bud"))
    return Draft(
        (
            f"Seeds are put into a pot, and some days later the first {part} shows.",
            Given(
                "start",
                "the day the seeds are put into the pot",
                start,
                f"The seeds go into the pot on {start}.",
                _other_days(start),
            ),
            Given("end", f"the day the first {part} shows", end, f"The first {part} shows on {end}.", _other_days(end)),
        ),
        f"How many days after planting does the first {part} show?",
        lambda start, end: (end - start).days,
        "Take the earlier date away from the later date.",
        "From {start} to {end} there are {answer} days.",
    )


def loan_return(rng: Random) -> Draft:
    (name,), start, loan, more = names(rng, 1), _day(rng), rng.choice((7, 8, 10)), rng.randint(2, 6)
    return Draft(
        (
            f"{name} borrows a book from the library and later gets some extra days.",
            Given(
                "start",
                f"the day {name} borrows the book",
                start,
                f"{name} borrows the book on {start}.",
                _other_days(start),
            ),
            Given("loan", "how many days a book may be kept", loan, f"A book may be kept for {loan} days."),
            Given("more", f"how many extra days {name} gets", more, f"The library adds {more} extra days for {name}."),
        ),
        "On which date must the book be back?",
        lambda start, loan, more: start + (loan + more) * DAY,
        "Add the normal days and the extra days, then count forward.",
        "{loan} and {more} more days after {start} is {answer}.",
        "date",
        steps=2,
    )


def party_before(rng: Random) -> Draft:
    (name,), birthday, days = names(rng, 1), _day(rng) + 12 * DAY, rng.randint(2, 9)
    return Draft(
        (
            f"{name} has a birthday party some days before the birthday.",
            Given(
                "birthday",
                f"the date of {name}'s birthday",
                birthday,
                f"The birthday of {name} is on {birthday}.",
                _other_days(birthday),
            ),
            Given(
                "days",
                "how many days before the birthday the party is",
                days,
                f"The party is {days} days before the birthday.",
            ),
        ),
        "On which date is the party?",
        lambda birthday, days: birthday - days * DAY,
        "Count the days back from the birthday.",
        "{days} days before {birthday} is {answer}.",
        "date",
    )


def weekday_later(rng: Random) -> Draft:
    (name,), today, days = names(rng, 1), rng.choice(DAYS), rng.choice((2, 3, 4, 5, 8, 9, 10))
    thing = rng.choice(("parcel", "letter", "visitor", "new bed"))
    return Draft(
        (
            f"{name} waits for a {thing}.",
            Given("today", "which day of the week it is today", today, f"Today is {today}.", DAYS),
            Given("days", f"in how many days the {thing} comes", days, f"The {thing} comes in {days} days."),
        ),
        f"On which day of the week does the {thing} come?",
        lambda today, days: DAYS[(DAYS.index(today) + days) % 7],
        "Count forward through the week.",
        "{days} days after {today} is {answer}.",
        "choice",
        DAYS,
    )


def who_is_missing(rng: Random) -> Draft:
    group = names(rng, 7)
    bus, foot, away = group[:2], group[2:5], group[5:]
    return Draft(
        (
            f"The group has seven members: {listed(sorted(group))}. "
            "Some come by bus, some come on foot, the others are missing.",
            _group("bus", "who comes by bus", bus, "{} come by bus.", [bus[0], away[0]]),
            _group("foot", "who comes on foot", foot, "{} come on foot.", [*foot[:2], away[0]]),
        ),
        "Which members are missing?",
        lambda bus, foot: set(group) - bus - foot,
        "Cross out everybody who comes.",
        "Without {bus} by bus and {foot} on foot, these are missing: {answer}.",
        "set",
        steps=2,
    )


def two_clubs(rng: Random) -> Draft:
    both, only_first, only_second = rng.randint(2, 6), rng.randint(5, 12), rng.randint(5, 12)
    first, second = both + only_first, both + only_second
    first_club = rng.choice(("music", "chess", "film"))
    second_club = rng.choice(("drama", "dance", "robot"))
    return Draft(
        (
            f"A school has a {first_club} club and a {second_club} club, and some children are in both.",
            Idle(f"The school has {rng.randint(20, 60)} teachers."),
            Given(
                "first",
                f"how many children are in the {first_club} club",
                first,
                f"The {first_club} club has {first} children.",
            ),
            Given(
                "second",
                f"how many children are in the {second_club} club",
                second,
                f"The {second_club} club has {second} children.",
            ),
            Given("both", "how many children are in both clubs", both, f"In both clubs there are {both} children."),
        ),
        "How many different children are in the clubs?",
        lambda first, second, both: first + second - both,
        "Add the clubs, but do not count anybody twice.",
        "{first} plus {second} minus {both} makes {answer} children.",
        steps=2,
    )


def neither_drink(rng: Random) -> Draft:
    tea, juice, none = rng.randint(4, 12), rng.randint(4, 12), rng.randint(2, 9)
    people = tea + juice + none
    return Draft(
        (
            "At a party some guests drink tea, some drink juice, nobody drinks both, and the rest drink nothing.",
            Given("people", "how many guests there are", people, f"There are {people} guests."),
            Given("tea", "how many guests drink tea", tea, f"Tea is for {tea} guests."),
            Given("juice", "how many guests drink juice", juice, f"Juice is for {juice} guests."),
            Idle(f"The party lasts {rng.randint(3, 8)} hours."),
        ),
        "How many guests drink nothing?",
        lambda people, tea, juice: people - tea - juice,
        "Leave out everybody who has a drink.",
        "{people} minus {tea} minus {juice} leaves {answer} guests.",
        steps=2,
    )


def on_both_lists(rng: Random) -> Draft:
    group, both = names(rng, 8), rng.randint(1, 3)
    morning = group[:4]
    evening = group[:both] + group[4 : 8 - both]
    people = rng.choice(("Swimmers", "Runners", "Singers", "Dancers"))
    return Draft(
        (
            f"{people} put their names on a morning list and on an evening list, and some are on both.",
            _group(
                "morning",
                "the names on the morning list",
                morning,
                "The morning list says: {}.",
                [*group[1:4], group[7]],
            ),
            _group(
                "evening",
                "the names on the evening list",
                evening,
                "The evening list says: {}.",
                [*evening[1:], group[7]],
            ),
        ),
        "How many names are on both lists?",
        lambda morning, evening: len(morning & evening),
        "Go through the morning list and look for each name on the evening list.",
        "Of {morning} and {evening}, {answer} can be found twice.",
    )


def shopping(rng: Random) -> Draft:
    (name, friend), foods = names(rng, 2), rng.sample(FOODS, 6)
    home, brought, missing = foods[:2], foods[2:4], foods[4:]
    return Draft(
        (
            f"{name} needs {listed(sorted(foods))}. "
            f"Some things are at home, {friend} brings others, and {name} buys the rest.",
            _group("home", "what is at home", home, "At home there are {}.", [home[0], missing[0]]),
            _group("brought", f"what {friend} brings", brought, friend + " brings {}.", [brought[0], missing[0]]),
        ),
        f"Which things does {name} buy?",
        lambda home, brought: set(foods) - home - brought,
        "Cross out what need not be bought.",
        "Without {home} at home and {brought} from the friend, the rest is {answer}.",
        "set",
        steps=2,
    )


def different_fillings(rng: Random) -> Draft:
    (name, friend), foods, shared = names(rng, 2), rng.sample(FOODS, 8), rng.randint(1, 2)
    first, second = foods[:3], [*foods[:shared], *foods[3 : 6 - shared]]
    return Draft(
        (
            f"{name} and {friend} each carry a bag of food, and some foods are in both bags.",
            _group("first", f"the foods in {name}'s bag", first, name + "'s bag holds {}.", [*first[1:], foods[7]]),
            _group(
                "second", f"the foods in {friend}'s bag", second, friend + "'s bag holds {}.", [*second[1:], foods[7]]
            ),
        ),
        "How many different foods are there in both bags together?",
        lambda first, second: len(first | second),
        "A food that is in both bags counts only a single time.",
        "{first} together with {second} are {answer} different foods.",
    )


def end_month(rng: Random) -> Draft:
    start, months = rng.choice(MONTHS), rng.randint(2, 9)
    course = rng.choice(("swimming", "drawing", "dance", "cooking"))
    return Draft(
        (
            f"A {course} course runs for several months.",
            Given("start", "the month the course starts", start, f"The course starts in {start}.", MONTHS),
            Given("months", "after how many months the course ends", months, f"The course ends {months} months later."),
        ),
        "In which month does the course end?",
        lambda start, months: MONTHS[(MONTHS.index(start) + months) % 12],
        "Count the months forward, and go on with January after December."
        if start not in ("January", "December")
        else "Count the months forward.",
        "{months} months after {start} is {answer}.",
        "choice",
        MONTHS,
    )


def age_from_year(rng: Random) -> Draft:
    (name,), born, age = names(rng, 1), rng.randint(1950, 2010), rng.randint(6, 40)
    return Draft(
        (
            f"{name} wins a medal on a birthday.",
            Given("born", f"the year {name} was born", born, f"{name} was born in {born}."),
            Given("year", f"the year {name} wins the medal", born + age, f"The medal is won in {born + age}."),
        ),
        f"How old does {name} become on that birthday?",
        lambda born, year: year - born,
        "Take the year of birth away from the year of the medal.",
        "{year} minus {born} is {answer} years.",
    )


def last_picked(rng: Random) -> Draft:
    group = names(rng, 5)
    red, blue, left = group[:2], group[2:4], group[4]
    return Draft(
        (
            f"{listed(sorted(group))} are picked for games. "
            "The red team and the blue team each pick two, and the last one keeps the score.",
            _group("red", "who is in the red team", red, "The red team picks {}.", [red[0], left]),
            _group("blue", "who is in the blue team", blue, "The blue team picks {}.", [blue[0], left]),
        ),
        "Who keeps the score?",
        lambda red, blue: min(set(group) - red - blue),
        "Look for the name that no team picks.",
        "The teams are {red} and {blue}, so {answer} is left.",
        "choice",
        tuple(sorted(group)),
    )


def pages_between(rng: Random) -> Draft:
    (name,), first, count = names(rng, 1), rng.randint(11, 60), rng.randint(5, 20)
    last = first + count - 1
    return Draft(
        (
            f"{name} reads all the pages of a chapter, the first and the last page included.",
            Given("first", "the first page of the chapter", first, f"The chapter starts on page {first}."),
            Given("last", "the last page of the chapter", last, f"The chapter ends on page {last}."),
        ),
        f"How many pages does {name} read?",
        lambda first, last: last - first + 1,
        "The difference of the page numbers leaves out a page, so add it back.",
        "{last} minus {first} plus one is {answer} pages.",
        steps=2,
    )


TEMPLATES = tuple(
    templates(
        "sets_dates",
        trip_end,
        days_between,
        loan_return,
        party_before,
        weekday_later,
        who_is_missing,
        two_clubs,
        neither_drink,
        on_both_lists,
        shopping,
        different_fillings,
        end_month,
        age_from_year,
        last_picked,
        pages_between,
    )
)
