"""Units and rates: speed, prices, flow, scale."""

from random import Random

from generators.tasks.problem import Draft, Given, Idle, templates
from generators.tasks.words import names


def car_distance(rng: Random) -> Draft:
    speed, hours = rng.choice((40, 50, 60, 70, 80, 90)), rng.randint(2, 6)
    thing = rng.choice(("car", "van", "truck", "coach"))
    return Draft(
        (
            f"A {thing} drives on the motorway at a steady speed.",
            Idle(f"The {thing} carries {rng.randint(3, 30)} boxes."),
            Given("speed", f"the speed of the {thing}", speed, f"The {thing} goes {speed} kilometres in an hour."),
            Given("hours", "how long the drive takes", hours, f"The drive takes {hours} hours."),
        ),
        f"How many kilometres does the {thing} drive?",
        lambda speed, hours: speed * hours,
        "Distance is speed times time.",
        "{speed} kilometres an hour for {hours} hours are {answer} kilometres.",
    )


def cycling_time(rng: Random) -> Draft:
    (name,), speed, hours = names(rng, 1), rng.choice((10, 12, 15, 20)), rng.randint(2, 6)
    way = speed * hours
    place = rng.choice(("lake", "castle", "beach", "farm"))
    return Draft(
        (
            f"{name} cycles to the {place} at a steady speed.",
            Given("way", f"how far the {place} is", way, f"The {place} is {way} kilometres away.", (way * 2,)),
            Given("speed", f"how fast {name} cycles", speed, f"{name} cycles {speed} kilometres in an hour.", (1,)),
            Idle(f"The bike of {name} weighs {rng.randint(8, 16)} kilograms."),
        ),
        f"How many hours does {name} need?",
        lambda way, speed: way // speed,
        "Time is distance divided by speed.",
        "{way} kilometres at {speed} kilometres an hour take {answer} hours.",
    )


def film_minutes(rng: Random) -> Draft:
    hours, extra = rng.randint(2, 4), rng.randint(5, 55)
    thing = rng.choice(("film", "concert", "play", "flight"))
    return Draft(
        (
            f"A {thing} lasts some full hours and some extra minutes. An hour has 60 minutes.",
            Given(
                "hours",
                f"how many full hours the {thing} lasts",
                hours,
                f"The {thing} lasts {hours} full hours and a bit more.",
            ),
            Given("extra", "how many extra minutes there are", extra, f"The extra part takes {extra} minutes."),
        ),
        f"How many minutes does the {thing} last altogether?",
        lambda hours, extra: hours * 60 + extra,
        "Turn the hours into minutes first.",
        "{hours} hours are {hours} times 60 minutes, and {extra} more make {answer} minutes.",
        steps=2,
    )


def water_tank(rng: Random) -> Draft:
    flow, minutes = rng.randint(3, 12), rng.randint(4, 11)
    tank = flow * minutes
    thing = rng.choice(("tank", "pool", "barrel", "bath"))
    return Draft(
        (
            f"A tap fills an empty water {thing}.",
            Idle(f"The {thing} weighs {rng.randint(15, 60)} kilograms."),
            Given("tank", f"how much water the {thing} holds", tank, f"The {thing} holds {tank} litres.", (tank * 2,)),
            Given(
                "flow",
                "how much water comes from the tap in a minute",
                flow,
                f"The tap gives {flow} litres a minute.",
                (1,),
            ),
        ),
        f"How many minutes does it take to fill the {thing}?",
        lambda tank, flow: tank // flow,
        f"Divide what the {thing} holds by what the tap gives in a minute.",
        "{tank} litres at {flow} litres a minute take {answer} minutes.",
    )


def potatoes(rng: Random) -> Draft:
    (name,), weight, price = names(rng, 1), rng.randint(3, 12), rng.randint(2, 6)
    things = rng.choice(("potatoes", "carrots", "onions", "beans"))
    return Draft(
        (
            f"{name} buys a sack of {things} that are sold by weight.",
            Idle(f"The sack is {rng.randint(40, 90)} centimetres wide."),
            Given("weight", "the weight of the sack", weight, f"The sack weighs {weight} kilograms."),
            Given("price", "the price of a kilogram", price, f"A kilogram of {things} costs {price} dollars."),
        ),
        "How many dollars does the sack cost?",
        lambda weight, price: weight * price,
        "Multiply the weight by the price of a kilogram.",
        "{weight} kilograms at {price} dollars each cost {answer} dollars.",
    )


def bottle_price(rng: Random) -> Draft:
    bottles, price = rng.randint(4, 12), rng.randint(2, 7)
    total = bottles * price
    return Draft(
        (
            "Juice is sold in crates, and all the bottles in a crate cost the same.",
            Given("total", "the price of a crate", total, f"A crate costs {total} dollars.", (total * 2,)),
            Given("bottles", "how many bottles are in a crate", bottles, f"A crate holds {bottles} bottles.", (1,)),
            Idle(f"A bottle weighs {rng.randrange(200, 900, 50)} grams."),
        ),
        "How many dollars does a single bottle cost?",
        lambda total, bottles: total // bottles,
        "Share the price of the crate among its bottles.",
        "{total} dollars for {bottles} bottles are {answer} dollars a bottle.",
    )


def rope_pieces(rng: Random) -> Draft:
    metres, piece = rng.randint(2, 6), rng.choice((10, 20, 25, 50))
    thing = rng.choice(("rope", "ribbon", "wire", "pipe"))
    return Draft(
        (
            f"A {thing} is cut into pieces of the same length. A metre has 100 centimetres.",
            Given("metres", f"how long the {thing} is", metres, f"The {thing} is {metres} metres long."),
            Given("piece", "how long a piece is", piece, f"Every piece is {piece} centimetres long.", (5, 100)),
            Idle(f"The {thing} costs {rng.randint(4, 9)} dollars."),
        ),
        "How many pieces are there?",
        lambda metres, piece: metres * 100 // piece,
        f"Write the length of the {thing} in centimetres first.",
        "{metres} metres are {metres} times 100 centimetres, and pieces of {piece} centimetres make {answer} pieces.",
        steps=2,
    )


def flour_for_cakes(rng: Random) -> Draft:
    (name,), cups, cakes = names(rng, 1), rng.randint(2, 6), rng.randint(3, 9)
    thing = rng.choice(("cake", "pizza", "tart", "pie"))
    return Draft(
        (
            f"{name} bakes {thing}s for the school party, all from the same recipe.",
            Idle(f"{name} works {rng.randint(2, 9)} hours."),
            Given("cups", f"how much flour a {thing} needs", cups, f"A {thing} needs {cups} cups of flour."),
            Given("cakes", f"how many {thing}s {name} bakes", cakes, f"{name} bakes {cakes} {thing}s."),
        ),
        f"How many cups of flour does {name} need?",
        lambda cups, cakes: cups * cakes,
        f"Every {thing} takes the same flour, so multiply.",
        f"{{cakes}} {thing}s with {{cups}} cups each need {{answer}} cups.",
    )


def day_wage(rng: Random) -> Draft:
    (name,), wage, hours, tip = names(rng, 1), rng.randint(7, 15), rng.randint(3, 8), rng.randint(2, 30)
    place = rng.choice(("cafe", "hotel", "restaurant"))
    return Draft(
        (
            f"{name} works in a {place}, is paid by the hour and gets tips as well.",
            Idle(f"{name} lives {rng.randint(2, 30)} kilometres away."),
            Given("wage", "the pay for an hour", wage, f"The pay for an hour is {wage} dollars."),
            Given("hours", f"how many hours {name} works", hours, f"{name} works {hours} hours today."),
            Given("tip", f"how much {name} gets in tips", tip, f"The tips today are {tip} dollars."),
        ),
        f"How many dollars does {name} earn today, tips included?",
        lambda wage, hours, tip: wage * hours + tip,
        "Find the pay for all the hours, then add the tips.",
        "{hours} hours at {wage} dollars plus {tip} dollars of tips make {answer} dollars.",
        steps=2,
    )


def printed_pages(rng: Random) -> Draft:
    rate, minutes = rng.randint(6, 20), rng.randint(3, 9)
    thing = rng.choice(("report", "script", "manual", "novel"))
    return Draft(
        (
            f"A printer prints a long {thing} at a steady pace.",
            Idle(f"The {thing} weighs {rng.randrange(200, 900, 50)} grams."),
            Given(
                "rate",
                "how many pages the printer prints in a minute",
                rate,
                f"The printer prints {rate} pages a minute.",
            ),
            Given("minutes", "how long the printer runs", minutes, f"The printer runs for {minutes} minutes."),
        ),
        f"How many pages does the {thing} have?",
        lambda rate, minutes: rate * minutes,
        "The same number of pages comes out every minute.",
        "{rate} pages a minute for {minutes} minutes are {answer} pages.",
    )


def walk_minutes(rng: Random) -> Draft:
    (name,), pace, way, rest = names(rng, 1), rng.randint(10, 16), rng.randint(2, 6), rng.choice((5, 7, 15, 20, 25))
    place = rng.choice(("hut", "tower", "village", "waterfall"))
    return Draft(
        (
            f"{name} hikes to a {place} and takes a break on the way.",
            Given(
                "pace",
                f"how long {name} needs for a kilometre",
                pace,
                f"{name} needs {pace} minutes for every kilometre.",
            ),
            Given("way", f"how far the {place} is", way, f"The {place} is {way} kilometres away."),
            Given("rest", "how long the break is", rest, f"The break lasts {rest} minutes."),
            Idle(f"The bag of {name} weighs {rng.randint(8, 30)} kilograms."),
        ),
        f"How many minutes is {name} on the way, break included?",
        lambda pace, way, rest: pace * way + rest,
        "Find the walking time first, then add the break.",
        "{way} kilometres at {pace} minutes each plus {rest} minutes of break are {answer} minutes.",
        steps=2,
    )


def shell_money(rng: Random) -> Draft:
    (name,), rate, dollars = names(rng, 1), rng.randint(3, 9), rng.randint(4, 15)
    things = rng.choice(("shells", "beads", "pearls", "feathers"))
    return Draft(
        (
            f"On an island people pay with {things}, and {name} changes dollars into {things}.",
            Idle(f"The island is {rng.randint(10, 60)} kilometres long."),
            Given("rate", f"how many {things} a dollar is worth", rate, f"A dollar is worth {rate} {things}."),
            Given("dollars", f"how many dollars {name} changes", dollars, f"{name} changes {dollars} dollars."),
        ),
        f"How many {things} does {name} get?",
        lambda rate, dollars: rate * dollars,
        f"Every dollar gives the same number of {things}.",
        f"{{dollars}} dollars at {{rate}} {things} each give {{answer}} {things}.",
    )


def paint_cans(rng: Random) -> Draft:
    covers, cans = rng.randint(4, 12), rng.randint(3, 8)
    wall = covers * cans
    thing = rng.choice(("wall", "fence", "roof", "floor"))
    return Draft(
        (
            f"A long {thing} is painted, and only full cans of paint are used.",
            Given("wall", f"the area of the {thing}", wall, f"The {thing} has {wall} square metres.", (wall * 2,)),
            Given("covers", f"how much {thing} a can covers", covers, f"A can covers {covers} square metres.", (1,)),
            Idle(f"The paint costs {rng.randint(20, 90)} dollars."),
        ),
        "How many cans of paint are needed?",
        lambda wall, covers: wall // covers,
        f"Divide the area of the {thing} by what a can covers.",
        "{wall} square metres at {covers} a can need {answer} cans.",
    )


def toy_machine(rng: Random) -> Draft:
    rate, hours, broken = rng.randint(8, 20), rng.randint(3, 7), rng.randint(2, 12)
    things = rng.choice(("toys", "chairs", "clocks", "lamps"))
    return Draft(
        (
            f"A machine makes {things} all day, but some of them are broken.",
            Given(
                "rate", f"how many {things} it makes in an hour", rate, f"The machine makes {rate} {things} an hour."
            ),
            Given("hours", "how many hours the machine runs", hours, f"The machine runs for {hours} hours."),
            Given("broken", f"how many {things} are broken", broken, f"In the end {broken} {things} are broken."),
            Idle(f"Last week the machine made {rng.randint(100, 400)} {things}."),
        ),
        f"How many good {things} are there?",
        lambda rate, hours, broken: rate * hours - broken,
        f"Find all the {things} first, then leave out the broken ones.",
        f"{{hours}} hours at {{rate}} {things} an hour without {{broken}} broken ones leave {{answer}} good {things}.",
        steps=2,
    )


def days_of_reading(rng: Random) -> Draft:
    (name,), daily, days = names(rng, 1), rng.choice((5, 6, 8, 10, 12, 15)), rng.randint(4, 11)
    pages = daily * days
    thing = rng.choice(("story book", "travel guide", "detective story"))
    return Draft(
        (
            f"{name} reads the same number of pages of a {thing} every day.",
            Given("pages", "how many pages the book has", pages, f"The book has {pages} pages.", (pages * 2,)),
            Given("daily", f"how many pages {name} reads in a day", daily, f"{name} reads {daily} pages a day.", (1,)),
            Idle(f"The book costs {rng.randint(4, 20)} dollars."),
        ),
        "How many days does the book last?",
        lambda pages, daily: pages // daily,
        "Divide the pages of the book by the pages of a day.",
        "{pages} pages at {daily} a day last {answer} days.",
    )


TEMPLATES = tuple(
    templates(
        "units_rates",
        car_distance,
        cycling_time,
        film_minutes,
        water_tank,
        potatoes,
        bottle_price,
        rope_pieces,
        flour_for_cakes,
        day_wage,
        printed_pages,
        walk_minutes,
        shell_money,
        paint_cans,
        toy_machine,
        days_of_reading,
    )
)
