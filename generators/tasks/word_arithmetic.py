"""Everyday sums: one or two operations on small whole numbers."""

from random import Random

from generators.tasks.problem import Draft, Given, Idle, templates
from generators.tasks.words import names


def pencils(rng: Random) -> Draft:
    (name,), count, price = names(rng, 1), rng.randint(3, 9), rng.randint(2, 6)
    thing = rng.choice(("pencil", "notebook", "ruler", "marker", "eraser"))
    return Draft(
        (
            f"{name} buys {thing}s at the school shop.",
            Given("count", f"how many {thing}s {name} buys", count, f"{name} buys {count} {thing}s."),
            Given("price", f"the price of a {thing}", price, f"Each {thing} costs {price} dollars."),
            Idle(f"{name} lives {rng.randint(2, 6)} kilometres away."),
        ),
        f"How many dollars does {name} pay for all the {thing}s?",
        lambda count, price: count * price,
        f"Multiply the number of {thing}s by the price of a {thing}.",
        f"{{count}} {thing}s at {{price}} dollars each cost {{answer}} dollars.",
    )


def marbles_left(rng: Random) -> Draft:
    (name, friend), start, given = names(rng, 2), rng.randint(15, 40), rng.randint(4, 14)
    things = rng.choice(("marbles", "shells", "cards", "coins", "stamps"))
    return Draft(
        (
            f"{name} collects {things} and gives some of them to {friend}.",
            Idle(f"{friend} keeps {rng.randint(5, 30)} {things} in a box already."),
            Given("start", f"how many {things} {name} has at first", start, f"{name} has {start} {things} at first."),
            Given("given", f"how many {things} {friend} gets", given, f"{friend} gets {given} {things}."),
        ),
        f"How many {things} does {name} have left?",
        lambda start, given: start - given,
        f"Take the {things} that {friend} gets away from the {things} at the start.",
        f"{{start}} minus {{given}} leaves {{answer}} {things}.",
    )


def stickers_together(rng: Random) -> Draft:
    (name, friend), first, second = names(rng, 2), rng.randint(8, 40), rng.randint(8, 40)
    things = rng.choice(("stickers", "photos", "postcards", "stamps"))
    return Draft(
        (
            f"{name} and {friend} put all their {things} into the same album.",
            Idle(f"The album has {rng.randint(10, 40)} pages."),
            Given("first", f"how many {things} {name} has", first, f"{name} has {first} {things}."),
            Given("second", f"how many {things} {friend} has", second, f"{friend} has {second} {things}."),
        ),
        f"How many {things} are in the album?",
        lambda first, second: first + second,
        f"Add the {things} of both children.",
        f"{{first}} plus {{second}} makes {{answer}} {things}.",
    )


def apples_shared(rng: Random) -> Draft:
    (name,), each, friends = names(rng, 1), rng.randint(3, 9), rng.randint(2, 6)
    things = rng.choice(("apples", "plums", "nuts", "cherries", "pears"))
    return Draft(
        (
            f"{name} shares a basket of {things} equally among some friends and keeps none.",
            Given(
                "total",
                f"how many {things} are in the basket",
                each * friends,
                f"The basket holds {each * friends} {things}.",
                (each * friends * 2,),
            ),
            Given(
                "friends",
                f"how many friends share the {things}",
                friends,
                f"The {things} go to {friends} friends.",
                (friends * 2,),
            ),
        ),
        f"How many {things} does each friend get?",
        lambda total, friends: total // friends,
        f"Divide the {things} in the basket by the number of friends.",
        f"{{total}} {things} for {{friends}} friends are {{answer}} {things} for each.",
    )


def change_back(rng: Random) -> Draft:
    (name,), price, note = names(rng, 1), rng.randint(6, 19), rng.choice((20, 30, 40, 50))
    thing = rng.choice(("toy car", "puzzle", "ball", "kite", "cap"))
    return Draft(
        (
            f"{name} buys a {thing} and pays with a single bank note.",
            Idle(f"The {thing} weighs {rng.randrange(150, 400, 10)} grams."),
            Given("note", f"how much money {name} hands over", note, f"{name} hands over {note} dollars."),
            Given("price", f"the price of the {thing}", price, f"The {thing} costs {price} dollars."),
        ),
        f"How many dollars of change does {name} get back?",
        lambda note, price: note - price,
        "The change is what was handed over without the price.",
        "{note} minus {price} is {answer} dollars of change.",
    )


def bus_riders(rng: Random) -> Draft:
    start, off, on = rng.randint(15, 30), rng.randint(3, 10), rng.randint(3, 12)
    thing = rng.choice(("bus", "train", "tram", "ferry"))
    return Draft(
        (
            f"A {thing} with people on it comes to a stop.",
            Idle(f"The {thing} is {rng.randint(8, 40)} metres long."),
            Given(
                "start",
                f"how many people are on the {thing} before the stop",
                start,
                f"Before the stop {start} people are on the {thing}.",
            ),
            Given("off", "how many people get off", off, f"At the stop {off} people get off."),
            Given("on", "how many people get on", on, f"At the stop {on} people get on."),
        ),
        f"How many people are on the {thing} after the stop?",
        lambda start, off, on: start - off + on,
        "Take away those who get off, then add those who get on.",
        "{start} minus {off} plus {on} makes {answer} people.",
        steps=2,
    )


def eggs_in_boxes(rng: Random) -> Draft:
    boxes, each = rng.randint(3, 9), rng.choice((4, 6, 10, 12))
    things = rng.choice(("eggs", "peaches", "onions", "lemons"))
    return Draft(
        (
            f"A farmer packs {things} into boxes of the same size, and every box is full.",
            Idle(f"The barn has {rng.randint(12, 60)} square metres."),
            Given("boxes", "how many boxes the farmer fills", boxes, f"The farmer fills {boxes} boxes."),
            Given("each", f"how many {things} fit into a box", each, f"A full box holds {each} {things}."),
        ),
        f"How many {things} does the farmer pack?",
        lambda boxes, each: boxes * each,
        "Every box holds the same, so multiply.",
        f"{{boxes}} boxes with {{each}} {things} each hold {{answer}} {things}.",
    )


def pages_left(rng: Random) -> Draft:
    (name,), total, read = names(rng, 1), rng.randint(60, 120), rng.randint(15, 55)
    thing = rng.choice(("book", "comic", "magazine", "script"))
    return Draft(
        (
            f"{name} is reading a {thing}.",
            Given("total", f"how many pages the {thing} has", total, f"The {thing} has {total} pages."),
            Given("read", f"how many pages {name} has read", read, f"So far {name} has read {read} pages."),
            Idle(f"The {thing} costs {rng.randint(4, 14)} dollars."),
        ),
        "How many pages are still to be read?",
        lambda total, read: total - read,
        f"Compare the pages of the whole {thing} with the pages already read.",
        "{total} minus {read} leaves {answer} pages.",
    )


def weekly_savings(rng: Random) -> Draft:
    (name,), weekly, weeks, start = names(rng, 1), rng.randint(3, 9), rng.randint(4, 8), rng.randint(10, 25)
    return Draft(
        (
            f"{name} already has some money and saves the same amount every week.",
            Idle(f"{name} has {rng.randint(2, 5)} brothers."),
            Given("start", f"how much money {name} already has", start, f"{name} already has {start} dollars."),
            Given("weekly", f"how much {name} saves in a week", weekly, f"Every week {name} saves {weekly} dollars."),
            Given("weeks", f"how many weeks {name} saves", weeks, f"{name} saves for {weeks} weeks."),
        ),
        f"How many dollars does {name} have in the end?",
        lambda start, weekly, weeks: start + weekly * weeks,
        "First find what is saved in all the weeks, then add the money from before.",
        "{weeks} weeks of {weekly} dollars added to {start} dollars make {answer} dollars.",
        steps=2,
    )


def garden_rows(rng: Random) -> Draft:
    (name,), rows, each, dried = names(rng, 1), rng.randint(3, 8), rng.randint(4, 9), rng.randint(2, 10)
    plant = rng.choice(("tomato", "bean", "pepper", "strawberry"))
    return Draft(
        (
            f"{name} grows {plant} plants in equal rows, and some of them dry up.",
            Given("rows", "how many rows there are", rows, f"There are {rows} rows of {plant} plants."),
            Given("each", "how many plants stand in a row", each, f"Every row has {each} plants."),
            Given("dried", "how many plants dry up", dried, f"In summer {dried} plants dry up."),
            Idle(f"Last year the garden had {rng.randint(3, 12)} rows."),
        ),
        f"How many {plant} plants are still growing?",
        lambda rows, each, dried: rows * each - dried,
        "Find out how many were planted, then take away the dry ones.",
        "{rows} rows of {each} plants without {dried} dry ones leave {answer} plants.",
        steps=2,
    )


def bread_sold(rng: Random) -> Draft:
    baked, morning, noon = rng.randint(50, 90), rng.randint(12, 24), rng.randint(6, 20)
    things = rng.choice(("loaves", "rolls", "cakes", "pies"))
    return Draft(
        (
            f"A bakery bakes {things} and sells some in the morning and some in the afternoon.",
            Idle(f"The bakery has {rng.randint(2, 5)} ovens."),
            Given("baked", f"how many {things} the bakery bakes", baked, f"The bakery bakes {baked} {things}."),
            Given(
                "morning",
                f"how many {things} are sold in the morning",
                morning,
                f"In the morning {morning} {things} are sold.",
            ),
            Given(
                "noon",
                f"how many {things} are sold in the afternoon",
                noon,
                f"In the afternoon {noon} {things} are sold.",
            ),
        ),
        f"How many {things} are left in the evening?",
        lambda baked, morning, noon: baked - morning - noon,
        "Take both sales away from what was baked.",
        f"{{baked}} minus {{morning}} minus {{noon}} leaves {{answer}} {things}.",
        steps=2,
    )


def points_ahead(rng: Random) -> Draft:
    (name, friend), low, ahead = names(rng, 2), rng.randint(12, 40), rng.randint(5, 30)
    game = rng.choice(("game", "quiz", "card game", "match"))
    return Draft(
        (
            f"{name} and {friend} play a {game}, and {name} wins.",
            Idle(f"The {game} lasts {rng.randint(30, 90)} minutes."),
            Given("high", f"how many points {name} scores", low + ahead, f"{name} scores {low + ahead} points."),
            Given("low", f"how many points {friend} scores", low, f"{friend} scores {low} points."),
        ),
        f"By how many points does {name} win?",
        lambda high, low: high - low,
        "Look for the difference between the two scores.",
        "{high} minus {low} is {answer} points.",
    )


def free_seats(rng: Random) -> Draft:
    rows, each, taken = rng.randint(5, 9), rng.randint(6, 10), rng.randint(11, 28)
    place = rng.choice(("cinema", "film club", "village hall"))
    return Draft(
        (
            f"A small {place} shows a film, and every row has the same number of seats.",
            Idle(f"A ticket costs {rng.randint(4, 14)} dollars."),
            Given("rows", f"how many rows the {place} has", rows, f"The {place} has {rows} rows."),
            Given("each", "how many seats are in a row", each, f"There are {each} seats in a row."),
            Given("taken", "how many seats are taken", taken, f"For this film {taken} seats are taken."),
        ),
        "How many seats are still free?",
        lambda rows, each, taken: rows * each - taken,
        "Find all the seats first, then leave out the taken ones.",
        "{rows} rows of {each} seats without {taken} taken seats leave {answer} seats.",
        steps=2,
    )


def cookie_bags(rng: Random) -> Draft:
    (name,), each, bags, eaten = names(rng, 1), rng.randint(4, 9), rng.randint(3, 7), rng.randint(2, 10)
    baked = each * bags + eaten
    things = rng.choice(("cookies", "muffins", "pretzels", "waffles"))
    return Draft(
        (
            f"{name} bakes {things}, eats some, and puts the rest into bags with the same number in every bag.",
            Idle(f"Last week {name} made {rng.randint(10, 40)} {things}."),
            Given(
                "baked", f"how many {things} {name} bakes", baked, f"{name} bakes {baked} {things}.", (baked + bags,)
            ),
            Given(
                "eaten",
                f"how many {things} {name} eats",
                eaten,
                f"{name} eats {eaten} of the {things}.",
                (eaten + bags,),
            ),
            Given("bags", f"how many bags {name} fills", bags, f"The rest goes into {bags} bags.", (1,)),
        ),
        f"How many {things} are in every bag?",
        lambda baked, eaten, bags: (baked - eaten) // bags,
        f"First see how many {things} are left, then share them among the bags.",
        f"{{baked}} minus {{eaten}} {things}, shared among {{bags}} bags, are {{answer}} in every bag.",
        steps=2,
    )


TEMPLATES = tuple(
    templates(
        "word_arithmetic",
        pencils,
        marbles_left,
        stickers_together,
        apples_shared,
        change_back,
        bus_riders,
        eggs_in_boxes,
        pages_left,
        weekly_savings,
        garden_rows,
        bread_sold,
        points_ahead,
        free_seats,
        cookie_bags,
    )
)
