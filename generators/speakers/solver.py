"""The assistant that is brought a problem: asks for what it lacks, answers, or says that it cannot be known."""

from generators.speakers.prompted import Demonstration
from generators.speakers.student import Student


class Solver(Student):
    """As a student, towards somebody who does not know the answer."""

    system: str = "{brief} Somebody texts you a problem. Text one short sentence: what the note in brackets says."
    demonstrations: tuple[Demonstration, ...] = (
        Demonstration(
            heard="A box of eggs weighs 2 kilos. There are some boxes. How heavy are all the boxes?",
            note='ask: how many are "some boxes"?',
            message='How many boxes do you mean by "some boxes"?',
            intent="ask",
        ),
        Demonstration(
            heard="A bus has 30 seats. Again: A bus has 45 seats. How many seats do 2 buses have?",
            note="ask: which number is correct, 30 or 45?",
            message="Does the bus have 30 or 45 seats?",
            intent="ask",
        ),
        Demonstration(
            heard="there are 6 boxes",
            note="work it out in one short sentence, answer with a number",
            message='{"say": "6 boxes of 2 kilos weigh 12 kilos.", "answer": "12"}',
            intent="answer",
        ),
    )
