"""Small algebra: an unknown number and what is known about it."""

from random import Random

from generators.tasks.problem import Draft, Given, Idle, templates
from generators.tasks.words import names


def secret_sum(rng: Random) -> Draft:
    (name,), secret, added = names(rng, 1), rng.randint(5, 40), rng.randint(4, 30)
    return Draft(
        (
            f"{name} thinks of a secret number and adds another number to it.",
            Given("added", f"the number {name} adds", added, f"{name} adds {added}."),
            Given("result", "the result of the sum", secret + added, f"The result is {secret + added}."),
        ),
        "What is the secret number?",
        lambda added, result: result - added,
        "Go back from the result: undo the adding.",
        "The result {result} minus {added} gives {answer}.",
    )


def secret_product(rng: Random) -> Draft:
    (name,), secret, factor = names(rng, 1), rng.randint(4, 15), rng.randint(2, 9)
    result = secret * factor
    return Draft(
        (
            f"{name} thinks of a secret number and multiplies it by another number.",
            Given("factor", f"the number {name} multiplies by", factor, f"{name} multiplies by {factor}.", (1,)),
            Given("result", "the result of the multiplication", result, f"The result is {result}.", (result + factor,)),
        ),
        "What is the secret number?",
        lambda factor, result: result // factor,
        "Go back from the result: undo the multiplication.",
        "The result {result} divided by {factor} gives {answer}.",
    )


def two_step_secret(rng: Random) -> Draft:
    (name,), secret, factor, added = names(rng, 1), rng.randint(3, 12), rng.randint(2, 5), rng.randint(2, 15)
    result = secret * factor + added
    return Draft(
        (
            f"{name} multiplies a secret number and then adds something.",
            Given(
                "factor",
                f"the number {name} multiplies by",
                factor,
                f"{name} multiplies the secret number by {factor}.",
                (1,),
            ),
            Given("added", f"the number {name} adds", added, f"The number {name} adds is {added}.", (added + factor,)),
            Given("result", "the result in the end", result, f"In the end the result is {result}.", (result + factor,)),
        ),
        "What is the secret number?",
        lambda factor, added, result: (result - added) // factor,
        "Undo the steps in reverse order.",
        "{result} minus {added}, divided by {factor}, gives {answer}.",
        steps=2,
    )


def sum_and_difference(rng: Random) -> Draft:
    (name,), small, apart = names(rng, 1), rng.randint(3, 15), rng.randint(2, 10)
    total = 2 * small + apart
    return Draft(
        (
            f"{name} writes down two numbers, a larger and a smaller one.",
            Given("total", "the sum of the two numbers", total, f"Together the numbers make {total}.", (total + 2,)),
            Given(
                "apart",
                "the difference of the two numbers",
                apart,
                f"The larger is {apart} more than the smaller.",
                (apart + 2,),
            ),
        ),
        "What is the smaller number?",
        lambda total, apart: (total - apart) // 2,
        "Without the difference both numbers would be the same.",
        "{total} minus {apart}, cut in half, gives {answer}.",
        steps=2,
    )


def equal_boxes(rng: Random) -> Draft:
    box, boxes, vase = rng.randint(3, 12), rng.randint(2, 6), rng.randint(2, 9)
    total = box * boxes + vase
    thing = rng.choice(("vase", "lamp", "clock", "radio"))
    return Draft(
        (
            f"Some boxes of the same weight and a {thing} stand on a scale.",
            Given("boxes", "how many boxes are on the scale", boxes, f"There are {boxes} boxes on the scale.", (1,)),
            Given(
                "vase",
                f"the weight of the {thing}",
                vase,
                f"The {thing} weighs {vase} kilograms.",
                (vase + boxes,),
            ),
            Given("total", "what the scale shows", total, f"The scale shows {total} kilograms.", (total + boxes,)),
            Idle(f"A truck beside the scale carries {rng.randint(10, 40)} other boxes."),
        ),
        "How many kilograms does a box weigh?",
        lambda boxes, vase, total: (total - vase) // boxes,
        f"Take the {thing} off the scale in your mind, then share the rest.",
        "{total} minus {vase} kilograms, shared by {boxes} boxes, are {answer} kilograms a box.",
        steps=2,
    )


def times_as_old(rng: Random) -> Draft:
    (name, child), age, times = names(rng, 2), rng.randint(3, 12), rng.randint(2, 5)
    total = age * (times + 1)
    return Draft(
        (
            f"{name} is several times as old as {child}.",
            Given(
                "times",
                f"how many times as old {name} is",
                times,
                f"{name} is {times} times as old as {child}.",
                (times * 2 + 1,),
            ),
            Given(
                "total", "the sum of both ages", total, f"Together they are {total} years old.", (total + times + 1,)
            ),
        ),
        f"How old is {child}?",
        lambda times, total: total // (times + 1),
        f"Count in parts: {child} is a single part of the sum.",
        f"{child} counts once and {name} {{times}} times: {{total}} years shared evenly make {{answer}} for {child}.",
        steps=2,
    )


def rectangle_side(rng: Random) -> Draft:
    width, length = rng.randint(3, 12), rng.randint(5, 20)
    around = 2 * (width + length)
    place = rng.choice(("garden", "field", "yard", "park"))
    return Draft(
        (
            f"A {place} is a rectangle with a fence all around it.",
            Given(
                "around",
                "how long the whole fence is",
                around,
                f"The whole fence is {around} metres long.",
                (around + 2,),
            ),
            Given("width", f"how wide the {place} is", width, f"The {place} is {width} metres wide."),
            Idle(f"In the {place} there are {rng.randint(2, 9)} old trees."),
        ),
        f"How many metres long is the {place}?",
        lambda around, width: around // 2 - width,
        "Half of the fence is the length and the width together.",
        "Half of {around} without {width} is {answer} metres.",
        steps=2,
    )


def taxi_price(rng: Random) -> Draft:
    base, rate, way = rng.randint(3, 9), rng.randint(2, 5), rng.randint(4, 12)
    return Draft(
        (
            "A taxi ride costs a fixed fee and then the same for every kilometre.",
            Idle(f"The ride takes {rng.randint(15, 40)} minutes."),
            Given("base", "the fixed fee", base, f"The fixed fee is {base} dollars."),
            Given("rate", "the price of a kilometre", rate, f"A kilometre costs {rate} dollars."),
            Given("way", "how long the ride is", way, f"The ride is {way} kilometres long."),
        ),
        "How many dollars does the ride cost?",
        lambda base, rate, way: base + rate * way,
        "Find the price of the kilometres, then add the fee.",
        "{way} kilometres at {rate} dollars plus {base} dollars make {answer} dollars.",
        steps=2,
    )


def boat_hours(rng: Random) -> Draft:
    base, rate, way = rng.randint(3, 9), rng.randint(2, 5), rng.randint(4, 12)
    paid = base + rate * way
    thing = rng.choice(("boat", "bike", "kayak", "scooter"))
    return Draft(
        (
            f"A {thing} can be rented for a fixed fee plus a price for every hour.",
            Given("base", f"the fixed fee of the {thing}", base, f"The fixed fee is {base} dollars.", (base + rate,)),
            Given("rate", "the price of an hour", rate, f"An hour costs {rate} dollars.", (1,)),
            Given("paid", "how much the family pays", paid, f"A family pays {paid} dollars in all.", (paid + rate,)),
            Idle(f"The {thing} weighs {rng.randint(10, 40)} kilograms."),
        ),
        f"For how many hours does the family rent the {thing}?",
        lambda base, rate, paid: (paid - base) // rate,
        "Leave out the fee, then see how many hours the rest pays for.",
        "{paid} minus {base} dollars at {rate} dollars an hour pays for {answer} hours.",
        steps=2,
    )


def half_and_more(rng: Random) -> Draft:
    (name,), half, added = names(rng, 1), rng.randint(4, 15), rng.randint(2, 12)
    return Draft(
        (
            f"{name} takes half of a secret number and then adds something.",
            Given("added", f"the number {name} adds", added, f"{name} adds {added} to the half."),
            Given("result", "the result in the end", half + added, f"In the end {name} gets {half + added}."),
        ),
        "What is the secret number?",
        lambda added, result: (result - added) * 2,
        "Undo the adding first, then undo the halving.",
        "{result} minus {added}, doubled, gives {answer}.",
        steps=2,
    )


def melon_weight(rng: Random) -> Draft:
    apples, weight = rng.randint(4, 9), rng.choice((50, 80, 100, 150, 200))
    thing = rng.choice(("melon", "pumpkin", "cabbage", "coconut"))
    return Draft(
        (
            f"On a balance a {thing} weighs as much as a pile of apples that all weigh the same.",
            Given(
                "apples",
                f"how many apples balance the {thing}",
                apples,
                f"The {thing} weighs as much as {apples} apples.",
            ),
            Given("weight", "the weight of an apple", weight, f"An apple weighs {weight} grams."),
            Idle(f"The {thing} costs {rng.randint(2, 9)} dollars."),
        ),
        f"How many grams does the {thing} weigh?",
        lambda apples, weight: apples * weight,
        f"Replace the {thing} by its pile of apples.",
        "{apples} apples of {weight} grams weigh {answer} grams.",
    )


def number_row(rng: Random) -> Draft:
    start, step, jumps = rng.randint(2, 20), rng.randint(3, 9), rng.randint(4, 8)
    return Draft(
        (
            "In a row of numbers you jump from each number to the next by adding the same step.",
            Given("start", "the number the row starts with", start, f"The row starts with {start}."),
            Given("step", "the step from a number to the next", step, f"The step is {step}."),
            Given("jumps", "how many jumps are made", jumps, f"From the start {jumps} jumps are made."),
        ),
        "Which number do the jumps lead to?",
        lambda start, step, jumps: start + step * jumps,
        "All the jumps together add the step again and again.",
        "{jumps} jumps of {step} from {start} lead to {answer}.",
        steps=2,
    )


def book_and_pen(rng: Random) -> Draft:
    pen, more = rng.randint(2, 12), rng.randint(3, 14)
    total = 2 * pen + more
    return Draft(
        (
            "A book costs more than a pen, and someone buys both.",
            Given(
                "more",
                "how much more the book costs",
                more,
                f"The book costs {more} dollars more than the pen.",
                (more + 2,),
            ),
            Given("total", "the price of both together", total, f"Together they cost {total} dollars.", (total + 2,)),
        ),
        "How many dollars does the pen cost?",
        lambda more, total: (total - more) // 2,
        "If the book cost the same as the pen, how much would both cost?",
        "{total} minus {more} dollars, cut in half, is {answer} dollars.",
        steps=2,
    )


def third_angle(rng: Random) -> Draft:
    first, second = rng.randrange(30, 85, 5), rng.randrange(30, 85, 5)
    return Draft(
        (
            "The angles at the corners A, B and C of a triangle make 180 degrees together.",
            Given("first", "the angle at corner A", first, f"The angle at A is {first} degrees."),
            Given("second", "the angle at corner B", second, f"The angle at B is {second} degrees."),
        ),
        "How many degrees is the angle at C?",
        lambda first, second: 180 - first - second,
        "The missing angle fills up the sum.",
        "180 minus {first} minus {second} is {answer} degrees.",
        steps=2,
    )


TEMPLATES = tuple(
    templates(
        "algebra",
        secret_sum,
        secret_product,
        two_step_secret,
        sum_and_difference,
        equal_boxes,
        times_as_old,
        rectangle_side,
        taxi_price,
        boat_hours,
        half_and_more,
        melon_weight,
        number_row,
        book_and_pen,
        third_angle,
    )
)
