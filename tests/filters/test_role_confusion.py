import pytest
from talks import talk

from filters.role_confusion import RoleConfusion, swapped_by

SERVICE = (
    ("user", "Hi, I'm looking for a table for two tonight."),
    ("assistant", "Sure. What time would you like?"),
    ("user", "Seven please. Thanks for your help."),
    ("assistant", "Your reservation is confirmed. Is there anything else I can help you with?"),
    ("user", "No thanks, that's all I need."),
)
OTHER = {"user": "assistant", "assistant": "user"}


@pytest.mark.parametrize(
    ("role", "text", "kind", "showing"),
    [
        ("user", "User: I went hiking.", "role_flip", "speaker_name_in_text"),
        ("assistant", "**Assistant**: Where did you go?", "role_flip", "speaker_name_in_text"),
        ("user", "As an AI language model, I cannot taste food.", "assistant_speak", "speaks_as_a_model"),
        ("user", "I'm just an AI, so I have no weekend.", "assistant_speak", "speaks_as_a_model"),
        ("user", "Hello! How can I help you today?", "role_flip", "helped_side_offers_help"),
        ("user", "Is there anything else I can help you with?", "role_flip", "helped_side_offers_help"),
    ],
)
def test_a_turn_in_the_other_partys_voice_is_found(role: str, text: str, kind: str, showing: str):
    verdict = RoleConfusion().judge(talk(("assistant", "Hi."), (role, text)))
    assert (verdict.keep, verdict.reason) == (False, kind)
    assert showing in (verdict.detail or "")


@pytest.mark.parametrize(
    ("role", "text"),
    [
        ("assistant", "How can I help you today?"),
        ("assistant", "As an AI, I have no taste, but people praise the soup."),
        ("user", "Can you help me? The teacher: she never answers."),
        ("user", "I talked to an AI about it, it was fun."),
    ],
)
def test_a_party_in_its_own_voice_is_left_alone(role: str, text: str):
    assert RoleConfusion().judge(talk(("assistant", "Hi."), ("user", "Hey."), (role, text))).keep


def test_a_service_dialogue_with_its_roles_swapped_is_found_when_asked_for():
    swapped = talk(*((OTHER[role], text) for role, text in SERVICE[:3]))
    verdict = RoleConfusion(swap_margin=3).judge(swapped)
    assert (verdict.keep, verdict.reason) == (False, "role_flip")
    assert RoleConfusion(swap_margin=3).judge(talk(*SERVICE)).keep


def test_swapping_the_roles_turns_the_margin_round():
    swapped = talk(*((OTHER[role], text) for role, text in SERVICE))
    assert swapped_by(talk(*SERVICE).turns) == -swapped_by(swapped.turns) < -5
