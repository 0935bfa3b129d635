"""Finds are taken out, and nothing else is touched."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st

from distill.filter.privacy.find import find
from distill.filter.privacy.found import KINDS, PLACEHOLDER
from distill.filter.privacy.redact import Redaction, masked, said
from distill.rows import Message, Row
from tests.filter.make import chat, pair

SECRETS = [
    "jo@gmail.com",
    "+44 20 7123 4567",
    "4111 1111 1111 1111",
    "DE89370400440532013000",
    "123-45-6789",
    "12345678Z",
    "93.184.216.34",
    "2a00:1450:4001:81b::200e",
    "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
    "password: hunter2",
    "https://bob:s3cr3tpw@host.org",
    "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
]
PIECES = st.one_of(
    st.sampled_from([*SECRETS, "[EMAIL_1]", "Tel: ", "SSN ", "\n", " ", "-", ".", "@", "+", "0", "/", "x1", "Bearer "]),
    st.text(max_size=8),
    st.text("0123456789 .-+()/:@aZ_", max_size=24),
)
TEXTS = st.lists(PIECES, max_size=8).map("".join)


def redacted(row: Row) -> Row:
    return Redaction(find, "\n".join(said(row))).row(row)


@settings(max_examples=400, deadline=None)
@given(TEXTS, TEXTS)
@example("jo@gmail.com", "4111 1111 1111 1111jo@gmail.com")
@example("123-45-6789123-45-6789", "+44 20 7123 4567+44 20 7123 4567")
def test_it_leaves_no_find_changes_nothing_else_and_doing_it_again_changes_nothing(question: str, answer: str) -> None:
    row = chat(question, answer)
    once = redacted(row)
    assert not any(find(text) for text in said(once))
    assert redacted(once) == once
    for before, after in zip(said(row), said(once), strict=True):
        place = 0
        for kept in PLACEHOLDER.split(after):
            place = before.index(kept, place) + len(kept)
        if not find(before):
            assert after == before


def test_one_value_has_one_number_throughout_a_row() -> None:
    row = chat(
        "jo@gmail.com or JO@gmail.com? Not al@gmail.com.",
        "jo@gmail.com, 4111-1111-1111-1111 or 4111 1111 1111 1111, +44 20 7123 4567",
    )
    once = redacted(row)
    assert once.question == "[EMAIL_1] or [EMAIL_1]? Not [EMAIL_2]."
    assert once.answer == "[EMAIL_1], [CARD_1] or [CARD_1], [PHONE_1]"


def test_a_number_that_the_row_has_already_is_not_given_again() -> None:
    assert redacted(chat("[EMAIL_1] wrote", "and jo@gmail.com")).answer == "and [EMAIL_2]"


def test_numbers_that_are_taken_are_skipped_by_kind() -> None:
    row = chat("[EMAIL_2], [CARD_1] and [[EMAIL_3]]", "jo@gmail.com al@gmail.com 4111 1111 1111 1111")
    assert redacted(row).answer == "[EMAIL_1] [EMAIL_4] [CARD_2]"


def test_ten_thousand_addresses_in_one_answer() -> None:
    """With a search among all placeholders for each of them this would not end."""
    answer = redacted(chat("Who?", " ".join(f"user{n}@gmail.com" for n in range(10_000)))).answer
    assert answer.split() == [f"[EMAIL_{n}]" for n in range(1, 10_001)]


def test_everything_a_row_says_is_read_and_where_it_came_from_stays() -> None:
    row = pair("Who? jo@gmail.com", "al@gmail.com", "bo@gmail.com")
    thinking = Message(role="assistant", content="x", reasoning="cy@gmail.com thought")
    row = Row(
        kind="preference",
        messages=(*row.messages[:-1], thinking),
        rejected=row.rejected,
        evidence={"passage": "di@gmail.com"},
        provenance=row.provenance,
        scores={"a": 1},
    )
    once = redacted(row)
    assert list(said(once)) == ["Who? [EMAIL_1]", "x", "[EMAIL_2] thought", "[EMAIL_3]", "[EMAIL_4]"]
    assert (once.provenance, once.scores, once.kind) == (row.provenance, row.scores, row.kind)
    assert once.id != row.id and once.id == Row.model_validate(once.model_dump()).id


def test_what_is_said_of_a_find_does_not_give_it_away() -> None:
    redaction = Redaction(find, "")
    redaction.row(chat("\n".join(SECRETS), "jo@gmail.com"))
    assert redaction.kinds.keys() == set(KINDS) - {"credentials"} | {"credentials"}
    told = "; ".join(redaction.finds)
    assert "email j***@g***.com in messages[1]" in told and "card of 19 characters in messages[0]" in told
    assert not any(secret in told or secret[6:] in told for secret in SECRETS)


def test_masked() -> None:
    assert masked("email", "jo.smith@mail.example.co.uk") == "j***@m***.uk"
    assert masked("email", "x@y") == "of 3 characters" and masked("phone", "+44 20") == "of 6 characters"
