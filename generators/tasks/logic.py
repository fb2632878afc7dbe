"""Small logic: elimination, rules, orders and states. No fact names the answer."""

from random import Random

from generators.tasks.problem import Draft, Given, Idle, templates
from generators.tasks.words import COLOURS, DAYS, listed, names

DIRECTIONS = ("north", "east", "south", "west")


def hats(rng: Random) -> Draft:
    people, colours = names(rng, 3), rng.sample(COLOURS, 3)
    first, second, answer = colours
    a, b, c = people
    options = tuple(sorted(colours))
    thing = rng.choice(("hat", "scarf", "coat", "shirt"))
    return Draft(
        (
            f"{a}, {b} and {c} wear {thing}s in three different colours: {listed(options)}.",
            Given("first", f"the colour of {a}'s {thing}", first, f"{a}'s {thing} is {first}.", (answer,)),
            Given("second", f"the colour of {b}'s {thing}", second, f"{b}'s {thing} is {second}.", (answer,)),
        ),
        f"What colour is {c}'s {thing}?",
        lambda first, second: min(set(colours) - {first, second}),
        "Cross out the colours that others wear.",
        f"{a} wears {{first}} and {b} wears {{second}}, so {c} wears {{answer}}.",
        "choice",
        options,
    )


def door_rule(rng: Random) -> Draft:
    (name,), colours = names(rng, 1), rng.sample(COLOURS, 3)
    doors = dict(zip(colours, rng.sample(("left", "middle", "right"), 3), strict=True))
    light, rest = colours[0], tuple(colours[1:])
    rules = " ".join(f"If the light is {c}, take the {doors[c]} door." for c in rng.sample(colours, 3))
    return Draft(
        (
            f"{name} stands in front of three doors. {rules}",
            Given("light", "the colour of the light", light, f"The light is {light} now.", rest),
        ),
        f"Which door should {name} take now?",
        lambda light: doors[light],
        "Look for the rule that fits the light.",
        "The light is {light}, and the rule for it says: take the {answer} door.",
        "choice",
        ("left", "middle", "right"),
    )


def moved_meeting(rng: Random) -> Draft:
    day, later = rng.choice(DAYS), rng.randint(2, 5)
    others = tuple(d for d in DAYS if d != day)
    group = rng.choice(("chess club", "choir", "book club", "school band"))
    return Draft(
        (
            f"The meeting of the {group} is moved to a later day of the week.",
            Given("day", "the usual day of the meeting", day, f"The meeting is usually on {day}.", others),
            Given("later", "by how many days the meeting is moved", later, f"The meeting is moved by {later} days."),
        ),
        "On which day of the week is the meeting now?",
        lambda day, later: DAYS[(DAYS.index(day) + later) % 7],
        "Count the days forward from the usual day.",
        "{later} days after {day} is {answer}.",
        "choice",
        DAYS,
    )


def turning_right(rng: Random) -> Draft:
    (name,), start, turns = names(rng, 1), rng.choice(DIRECTIONS), rng.choice((2, 3, 5, 6, 7))
    return Draft(
        (
            f"{name} stands in a field and makes some quarter turns to the right.",
            Given(
                "start", f"the direction {name} looks at first", start, f"At first {name} looks {start}.", DIRECTIONS
            ),
            Given(
                "turns",
                f"how many quarter turns {name} makes",
                turns,
                f"{name} makes {turns} quarter turns to the right.",
            ),
        ),
        f"In which direction does {name} look in the end?",
        lambda start, turns: DIRECTIONS[(DIRECTIONS.index(start) + turns) % 4],
        "Imagine a compass and turn clockwise.",
        "{turns} quarter turns to the right from {start} lead to {answer}.",
        "choice",
        DIRECTIONS,
    )


def empty_boxes(rng: Random) -> Draft:
    (name,), colours, prize = names(rng, 1), rng.sample(COLOURS, 3), rng.choice(("prize", "key", "letter", "ring"))
    first, second, answer = colours
    options = tuple(sorted(colours))
    return Draft(
        (
            f"{name} looks for a {prize} in three boxes: {listed(options)}. "
            "A note on the desk and a note on the wall each name an empty box.",
            Given("first", "which box the desk note names", first, f"The desk note says: {first} is empty.", (answer,)),
            Given(
                "second", "which box the wall note names", second, f"The wall note says: {second} is empty.", (answer,)
            ),
        ),
        f"What colour is the box with the {prize}?",
        lambda first, second: min(set(colours) - {first, second}),
        "Cross out the boxes that are empty.",
        f"The {{first}} and the {{second}} box are empty, so the {prize} is in the {{answer}} box.",
        "choice",
        options,
    )


def middle_seat(rng: Random) -> Draft:
    a, b, c = names(rng, 3)
    side, other_side = rng.sample(("left", "right"), 2)
    return Draft(
        (
            f"{listed(sorted((a, b, c)))} sit side by side on a bench with a left, a middle and a right seat.",
            Given("first", f"where {a} sits", side, f"{a} has the {side} seat.", ("middle",)),
            Given("second", f"where {b} sits", other_side, f"{b} has the {other_side} seat.", ("middle",)),
        ),
        "Who sits between the two others?",
        lambda first, second: a if first == "middle" else b if second == "middle" else c,
        "See which seats are taken.",
        f"{a} and {b} have the outer seats, so {{answer}} sits between them.",
        "choice",
        tuple(sorted((a, b, c))),
    )


def changing_sign(rng: Random) -> Draft:
    shapes = tuple(rng.sample(("circle", "square", "star", "moon"), 4))
    start, changes = rng.choice(shapes), rng.choice((2, 3, 5, 6))
    cycle = ", ".join(shapes)
    return Draft(
        (
            f"A sign shows shapes in this order again and again: {cycle}.",
            Given("start", "the shape the sign shows at first", start, f"At first the sign shows a {start}.", shapes),
            Given("changes", "how many times the sign changes", changes, f"The sign changes {changes} times."),
        ),
        "Which shape does the sign show in the end?",
        lambda start, changes: shapes[(shapes.index(start) + changes) % 4],
        "Follow the order step by step, and begin again after the last shape.",
        "{changes} changes after the {start} the sign shows the {answer}.",
        "choice",
        shapes,
    )


def age_ladder(rng: Random) -> Draft:
    (a, b, c), age, up, more = names(rng, 3), rng.randint(5, 12), rng.randint(2, 6), rng.randint(2, 6)
    return Draft(
        (
            f"{a}, {b} and {c} are cousins; {a} is the youngest and {c} is the oldest.",
            Given("age", f"the age of {a}", age, f"{a} is {age} years old."),
            Given("up", f"how much older than {a} {b} is", up, f"{b} is {up} years older than {a}."),
            Given("more", f"how much older than {b} {c} is", more, f"{c} is {more} years older than {b}."),
        ),
        f"How old is {c}?",
        lambda age, up, more: age + up + more,
        "Start with the youngest and climb up.",
        f"{b} is {{age}} plus {{up}} years old, and {{more}} more years make {{answer}} for {c}.",
        steps=2,
    )


def four_pets(rng: Random) -> Draft:
    (a, b, c, d), pets = names(rng, 4), rng.sample(("cat", "dog", "bird", "rabbit"), 4)
    first, second, third, answer = pets
    options = tuple(sorted(pets))
    return Draft(
        (
            f"{a}, {b}, {c} and {d} each own a different pet: a {', a '.join(options[:-1])} or a {options[-1]}.",
            Given("first", f"the pet of {a}", first, f"{a} owns the {first}.", (answer,)),
            Given("second", f"the pet of {b}", second, f"{b} owns the {second}.", (answer,)),
            Given("third", f"the pet of {c}", third, f"{c} owns the {third}.", (answer,)),
        ),
        f"Which pet does {d} own?",
        lambda first, second, third: min(set(pets) - {first, second, third}),
        "Cross out the pets of the others.",
        f"The {{first}}, the {{second}} and the {{third}} belong to others, so {d} owns the {{answer}}.",
        "choice",
        options,
    )


def weather_game(rng: Random) -> Draft:
    (name,), kinds = names(rng, 1), rng.sample(("rainy", "sunny", "windy", "snowy"), 3)
    games = dict(zip(kinds, rng.sample(("chess", "football", "cards", "tag"), 3), strict=True))
    weather, rest = kinds[0], tuple(kinds[1:])
    plan = " ".join(f"On a {k} day {name} plays {games[k]}." for k in rng.sample(kinds, 3))
    return Draft(
        (plan, Given("weather", "the weather today", weather, f"Today it is {weather}.", rest)),
        f"What does {name} play today?",
        lambda weather: games[weather],
        "Find the sentence that fits the weather.",
        f"Today it is {{weather}}, and on such a day {name} plays {{answer}}.",
        "choice",
        tuple(sorted(games.values())),
    )


def lock_code(rng: Random) -> Draft:
    (name,), first, more = names(rng, 1), rng.randint(2, 5), rng.randint(1, 4)
    thing = rng.choice(("bike lock", "safe", "locker", "suitcase"))
    return Draft(
        (
            f"The code of {name}'s {thing} has two digits, and the second digit is larger than the first.",
            Given("first", "the first digit of the code", first, f"The first digit is {first}."),
            Given("more", "how much larger the second digit is", more, f"The second digit is larger by {more}."),
        ),
        f"What is the code of the {thing}?",
        lambda first, more: first * 10 + first + more,
        "Find the second digit, then write both digits side by side.",
        "The second digit is {first} plus {more}, so the code is {answer}.",
    )


def race_place(rng: Random) -> Draft:
    (name,), place, passed = names(rng, 1), rng.randint(8, 15), rng.randint(2, 6)
    return Draft(
        (
            f"In a race {name} overtakes some runners and is overtaken by nobody.",
            Given("place", f"the place {name} is in at first", place, f"At first {name} is in place {place}."),
            Given("passed", f"how many runners {name} overtakes", passed, f"{name} overtakes {passed} runners."),
        ),
        f"In which place is {name} in the end?",
        lambda place, passed: place - passed,
        "Overtaking a runner makes the place number smaller.",
        "Place {place} minus {passed} runners is place {answer}.",
    )


def lift_floors(rng: Random) -> Draft:
    start, up, down = rng.randint(3, 9), rng.randint(5, 12), rng.randint(2, 7)
    who = rng.choice(("lift", "window cleaner", "delivery robot"))
    return Draft(
        (
            f"A {who} goes up and then down again.",
            Idle(f"The {who} weighs {rng.randint(50, 95)} kilograms."),
            Given("start", f"the floor the {who} starts from", start, f"The {who} starts from floor {start}."),
            Given("up", f"how many floors the {who} goes up", up, f"The {who} goes up {up} floors."),
            Given("down", f"how many floors the {who} goes down", down, f"The {who} goes down {down} floors."),
        ),
        f"On which floor does the {who} stop?",
        lambda start, up, down: start + up - down,
        "Going up adds floors, going down takes them away.",
        "{start} plus {up} minus {down} is floor {answer}.",
        steps=2,
    )


def box_swaps(rng: Random) -> Draft:
    (a, b, c), colours = names(rng, 3), rng.sample(COLOURS, 3)
    own = dict(zip((a, b, c), colours, strict=True))
    first, second = rng.choice(((b, c), (c, b)))

    def final(first: str, second: str) -> str:
        now = dict(own)
        for other in (first, second):
            now[a], now[other] = now[other], now[a]
        return now[a]

    return Draft(
        (
            f"{a} has a {own[a]} box, {b} has a {own[b]} box and {c} has a {own[c]} box. {a} swaps boxes twice.",
            Given("first", f"who {a} swaps with first", first, f"The first swap of {a} is with {first}.", (second,)),
            Given(
                "second", f"who {a} swaps with second", second, f"The second swap of {a} is with {second}.", (first,)
            ),
        ),
        f"What colour is {a}'s box in the end?",
        final,
        "Keep a list of who has which box and change it after every swap.",
        f"After the swap with {{first}} comes the swap with {{second}}, so {a} ends with the {{answer}} box.",
        "choice",
        tuple(sorted(colours)),
        steps=2,
    )


def ticket_team(rng: Random) -> Draft:
    (name,), colours, ticket = names(rng, 1), rng.sample(COLOURS, 3), rng.randint(2, 28)
    a, b, c = colours
    return Draft(
        (
            f"Tickets below 11 play for the {a} team, tickets from 11 to 20 for the {b} team, "
            f"and higher ones for the {c} team.",
            Given(
                "ticket",
                f"the number on {name}'s ticket",
                ticket,
                f"{name}'s ticket has the number {ticket}.",
                (5, 15, 25),
            ),
        ),
        f"For which team does {name} play?",
        lambda ticket: a if ticket < 11 else b if ticket <= 20 else c,
        "See between which borders the number on the ticket lies.",
        f"The number {{ticket}} belongs to the {{answer}} team, so {name} plays there.",
        "choice",
        tuple(sorted(colours)),
    )


def queue_behind(rng: Random) -> Draft:
    (name,), people, place = names(rng, 1), rng.randint(15, 25), rng.randint(3, 9)
    thing = rng.choice(("ice cream", "tickets", "soup", "bread"))
    return Draft(
        (
            f"{name} stands in a queue for {thing}.",
            Given(
                "people",
                "how many people are in the queue",
                people,
                f"There are {people} people in the queue, {name} included.",
            ),
            Given(
                "place",
                f"the place of {name} in the queue",
                place,
                f"Counted from the front, {name} is number {place}.",
            ),
            Idle(f"The queue is {rng.randint(26, 40)} metres long."),
        ),
        f"How many people stand behind {name}?",
        lambda people, place: people - place,
        f"Everybody after {name} stands behind.",
        f"{name} and those in front are {{place}} of {{people}} people, so {{answer}} stand behind.",
    )


TEMPLATES = tuple(
    templates(
        "logic",
        hats,
        door_rule,
        moved_meeting,
        turning_right,
        empty_boxes,
        middle_seat,
        changing_sign,
        age_ladder,
        four_pets,
        weather_game,
        lock_code,
        race_place,
        lift_floors,
        box_swaps,
        ticket_team,
        queue_behind,
    )
)
