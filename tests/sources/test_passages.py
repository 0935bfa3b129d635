"""Where a text is cut: at the ends of paragraphs and sentences, with nothing lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from distill.sources.passages import passages, sentences, size, whole

TEXT = (
    "# Bees\n\nBees live together. A hive holds thousands of them.\n\n"
    "They dance to tell where food is. The dance has a direction and a length. It is read in the dark."
)


def test_a_passage_ends_with_a_paragraph_where_that_leaves_it_half_full() -> None:
    first, second = passages(TEXT, 21)
    assert first == "# Bees\n\nBees live together. A hive holds thousands of them."
    assert second.startswith("They dance") and second.endswith("in the dark.")


def test_else_it_ends_with_a_sentence() -> None:
    assert passages(TEXT.split("\n\n")[2], 12) == [
        "They dance to tell where food is.",
        "The dance has a direction and a length.",
        "It is read in the dark.",
    ]


def test_a_heading_stays_with_what_follows() -> None:
    text = "One two three four five six.\n\nThe next part\n\nSeven eight nine ten eleven twelve."
    assert passages(text, 10)[1].startswith("The next part\n\nSeven")


def test_a_short_rest_is_not_put_by_itself() -> None:
    assert passages("One two three four five six seven eight. Nine.", 8) == [
        "One two three four five six seven eight. Nine."
    ]


def test_a_sentence_longer_than_a_passage_stays_whole_up_to_twice_as_long() -> None:
    long = " ".join(f"w{n}" for n in range(19)) + "."
    assert passages(f"Short one. {long} Another short one is here to end it all.", 10)[1] == long
    table = " ".join(f"w{n}" for n in range(55))
    assert [size(part) for part in passages(table, 10)] == [10, 10, 10, 10, 10, 5]


def test_quotes_and_full_width_marks_end_sentences() -> None:
    assert sentences('He said "stop." Then he left. 他走了。她也走了。') == [
        'He said "stop."',
        "Then he left.",
        "他走了。",
        "她也走了。",
    ]
    assert passages("他今天走了。她也走了。" * 8, 11) == ["他今天走了。她也走了。"] * 8


def test_a_number_with_a_point_ends_no_sentence() -> None:
    assert sentences("Pi is 3.14 or so. Enough.") == ["Pi is 3.14 or so.", "Enough."]


def test_what_is_whole_of_a_text_that_was_cut() -> None:
    assert whole("It rained. Then the sun came out. And the bird") == "It rained. Then the sun came out."
    assert whole("no end in sight") == ""


@given(some.text(some.sampled_from("ab .!?\n。他"), max_size=300), some.integers(10, 40))
def test_nothing_is_lost_but_blank_space(text: str, words: int) -> None:
    parts = passages(text, words)
    assert "".join("".join(parts).split()) == "".join(text.split()) or not size(text)
    assert all(size(part) <= 2 * words + words / 4 for part in parts)
