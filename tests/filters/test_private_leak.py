from hypothesis import given
from hypothesis import strategies as st
from talks import talk

from filters.private_leak import PrivateLeak, answer_said, distinctive, leaked
from filters.prompt_leak import prompt_leak
from schemas.chat import Message
from schemas.dialogue import Dialogue, Turn
from schemas.scenario import Fact, Verifier, View

SOLUTION = "First subtract the crates that broke on the road, then multiply the rest by the price of a crate."
ROUTE = Fact(
    id="route",
    holder="teacher",
    slot="the road",
    value="Old Harbour Road",
    text="The crates travelled by Old Harbour Road.",
)
CODE = Fact(id="code", holder="teacher", slot="the code", value="93103", text="The code is 93103.", disclose="never")
TEACHER = View(
    role="teacher",
    brief="You teach.",
    public="How much are the crates worth?",
    facts=(ROUTE, CODE),
    private={"solution": SOLUTION, "answer": "132"},
)
STUDENT = View(role="student", brief="You learn.", public="How much are the crates worth?")


def lesson(*said: tuple[str, str] | Turn) -> Dialogue:
    return talk(
        *said, views=(TEACHER, STUDENT), verifier=Verifier(kind="number", answer="132"), sides=("student", "teacher")
    )


def reason(*said: tuple[str, str] | Turn) -> str:
    return PrivateLeak().judge(lesson(*said)).reason


def test_a_student_who_recites_the_hidden_solution_leaks():
    assert reason(("student", f"Easy! {SOLUTION}")) == "private_leak"
    assert reason(("student", "So I subtract the CRATES that broke on the road, then multiply?")) == "private_leak"


def test_a_student_who_names_an_undisclosed_value_leaks():
    assert reason(("student", "Did they take Old Harbour Road?")) == "private_leak"


def test_what_the_teacher_has_said_or_the_program_has_disclosed_is_out():
    assert reason(("teacher", ROUTE.text), ("student", "Ah, Old Harbour Road.")) == "ok"
    disclosed = Turn(role="teacher", text="They went past the old harbour.", facts_disclosed=("route",))
    assert reason(disclosed, ("student", "By Old Harbour Road?")) == "ok"


def test_public_words_and_small_numbers_are_no_leak():
    assert reason(("student", "How much are the crates worth? Is it 12 times 11?")) == "ok"


def test_a_fact_that_must_never_come_out_may_not_be_said_by_its_holder():
    assert reason(("teacher", "Fine: the code is 93103.")) == "forbidden_disclosure"


def test_the_teacher_may_confirm_an_answer_but_not_give_it():
    assert reason(("teacher", "It is 132.")) == "answer_revealed"
    assert reason(Turn(role="student", text="I get 132.", answer="132"), ("teacher", "Yes, 132.")) == "ok"
    assert reason(Turn(role="student", text="I get 130.", answer="130"), ("teacher", "No, 132.")) == "ok"


def test_a_wrong_answer_does_not_allow_the_teacher_to_give_the_right_one():
    wrong = Turn(role="student", text="I get 130.", answer="130", answer_correct=False)
    assert reason(wrong, ("teacher", "No, 132.")) == "answer_revealed"
    right = Turn(role="student", text="It is that one.", answer="132", answer_correct=True)
    assert reason(right, ("teacher", "Yes, 132.")) == "ok"


def test_the_teacher_may_not_recite_eight_words_of_its_solution_before_the_learner_is_right():
    """Seven words pass, and so does everything once the answer is right."""
    assert reason(("teacher", "Subtract the crates that broke on the road, see?")) == "solution_revealed"
    assert reason(("teacher", "Subtract the crates that broke on that road.")) == "ok"
    right = Turn(role="student", text="I get 132.", answer="132", answer_correct=True)
    assert reason(right, ("teacher", f"Yes! {SOLUTION}")) == "ok"


def test_an_answer_is_said_in_words_too_and_with_its_thousands_apart():
    assert answer_said("It makes twelve.", "12", "") and answer_said("That is 1,200 dollars.", "1200", "")
    assert answer_said("So forty-five.", "45", "") and answer_said("Thirty dollars!", "30", "it is 5")
    assert not answer_said("So forty-five.", "40", "") and not answer_said("So forty-five.", "5", "")
    assert not answer_said("It makes twelve.", "12", "there are 12 crates") and not answer_said("Not 12.5!", "12", "")


def test_a_student_may_find_an_answer_however_distinctive():
    found = Turn(role="student", text="I get 1320 crowns.", answer="1320")
    teacher = TEACHER.model_copy(update={"private": {"solution": SOLUTION, "answer": "1320"}})
    said = talk(found, views=(teacher, STUDENT), sides=("student", "teacher"))
    assert PrivateLeak().judge(said).reason == "ok"
    assert PrivateLeak(answers=()).judge(said).reason == "private_leak"


def test_only_a_privileged_learner_is_shown_what_is_hidden():
    plain = lesson(("student", "Hm."))
    prompt = (Message("user", f"The road: {ROUTE.text}"),)
    policy = plain.scenario.model_copy(update={"policy": "privileged"})
    privileged = plain.model_copy(update={"scenario": policy})
    assert prompt_leak(plain, "student", 0, prompt).reason == "prompt_leak"
    assert prompt_leak(privileged, "student", 0, prompt).reason == "ok"


def test_a_number_that_only_contains_the_answer_is_not_the_answer():
    assert reason(("teacher", "Start from 1320 or 13.2, as you like.")) == "ok"


def test_a_rendered_prompt_is_scanned_with_the_same_function():
    prompt = f"You learn.\nHow much are the crates worth?\n{SOLUTION}"
    assert leaked(prompt, {"solution": SOLUTION, "code": "93103"}) == ["solution"]
    assert leaked(prompt, {"solution": SOLUTION}, known=SOLUTION) == []


def test_only_values_nobody_says_by_chance_are_distinctive():
    assert [v for v in ("12", "blue", "a cat", "93103", "ann@example.org", "Old Harbour Road") if distinctive(v)] == [
        "93103",
        "ann@example.org",
        "Old Harbour Road",
    ]


@given(st.lists(st.sampled_from("abcdefghijklmnop"), min_size=8, max_size=40), st.data())
def test_any_run_of_eight_words_of_a_secret_gives_it_away(words: list[str], data: st.DataObject):
    start = data.draw(st.integers(0, len(words) - 8))
    assert leaked("well " + " ".join(words[start : start + 8]) + " right", {"plan": " ".join(words)}) == ["plan"]
