"""What is said beside a sentence of a problem: where that is so. "In an older version of this, Ann has 9 pens" has no
bearing on what is asked, "as the teacher read it out, Ann has 14 pens" has; by their form and place nobody can tell.
"""

import re
from random import Random

from generators.tasks.sentences import inside

ELSEWHERE = (
    "in the exercise before",
    "in the example in the book",
    "in an older version of this",
    "in the exercise of the other class",
    "in a practice sheet from last week",
    "on the page with the examples",
    "in last year's version",
    "in the problem above",
    "in a similar exercise",
    "in the version for the younger children",
    "on the sheet that was replaced",
    "before the book was revised",
    "in the draft of this exercise",
    "in a variant with other numbers",
    "in the exercise that was solved already",
    "in the next exercise",
    "on the back of the sheet, where another problem stands",
    "in the homework from Tuesday",
    "in the version that was crossed out",
    "in the first edition of the book",
    "in the solution to another problem",
    "in the warm-up for this",
    "in the test of the other group",
    "in the previous task",
    "in a question that came up before",
    "in the problem that follows",
    "as the teacher first got it wrong",
    "in the version that no longer counts",
    "according to the sheet of another school",
    "as a different text has it",
)
"""What stands there has no bearing on the problem."""
HERE = (
    "in this version of it",
    "as the teacher read it out",
    "in this exercise",
    "in the problem here",
    "on the sheet for today",
    "as it was handed out",
    "in the exercise to be solved",
    "in the version for this class",
    "as it says here",
    "according to the sheet",
    "as far as this exercise goes",
    "in the current version",
    "on this page",
    "as printed here",
    "in the homework for tomorrow",
    "as the book has it for this exercise",
    "in the latest version of this",
    "in the corrected version",
    "now that the book is revised",
    "on the sheet that counts",
    "in the version of this group",
    "according to the text",
    "in this task",
    "as it is meant here",
    "in the final version of the exercise",
    "as the task puts it",
    "in the exercise that is asked about",
    "on the front of the sheet, where this problem stands",
    "as the teacher wrote it down",
    "in the version that counts",
)
"""What stands there is the problem itself."""
VERSIONS = (
    "the blue sheet",
    "the green sheet",
    "the printed copy",
    "the handwritten copy",
    "the long version",
    "the short version",
    "the handout from Monday",
    "the handout from Friday",
    "the copy on the board",
    "the copy in the folder",
    "version A",
    "version B",
    "the paper edition",
    "the online edition",
)
"""Which of them counts the question says."""
_SUBJECT = re.compile(
    r"^(?:(?:The|A|An|Each|Every)\s[a-z]+(?=\s(?:has|had|is|was|goes|holds|costs|gives|takes|weighs|lasts|sells|makes)\s)"
    r"|(?!(?:The|A|An|Each|Every|In|On|At|By|For|If)\b)[A-Z][a-z]+(?=\s[a-z]+(?:[^s]s|ed|ad)\s))"
)
"""Up to the verb."""


def beside(phrase: str, sentence: str, text: str, rng: Random) -> str:
    """The sentence with the phrase before it, behind it, or between subject and verb, where they are plain."""
    place = rng.choice(("front", "middle", "end"))
    subject = _SUBJECT.match(sentence)
    if place == "end":
        return f"{sentence.rstrip('.!')}, {phrase}."
    if place == "middle" and subject is not None:
        return f"{subject[0]}, {phrase},{sentence[subject.end() :]}"
    return f"{phrase[0].upper()}{phrase[1:]}, {inside(sentence, text)}"


def is_elsewhere(sentence: str, question: str) -> bool:
    """Whether it says itself that it is of something else than what is asked."""
    named = [version for version in VERSIONS if version in sentence]
    return any(phrase in sentence.lower() for phrase in map(str.lower, ELSEWHERE)) or (
        bool(named) and not any(version in question for version in named)
    )
