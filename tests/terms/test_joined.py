"""Rows and the recipe say of the same things: one list, that loses nothing of either."""

from __future__ import annotations

from distill.terms.input import Input
from distill.terms.joined import joined
from distill.terms.registry import shipped
from distill.terms.verdict import judge

CARRIED = Input("teacher's answers", "org/t@1", ("apache-2.0", "host:api.together.xyz"))


def test_what_a_card_says_against_the_recipe_stays_beside_what_rows_carry() -> None:
    named = Input("teacher's answers", "org/t@1", ("apache-2.0",), card=("cc-by-nc-4.0",))
    (one,) = joined([CARRIED], [named])
    assert one.declared == ("apache-2.0", "host:api.together.xyz") and one.card == ("cc-by-nc-4.0",)
    assert judge([one], "research", shipped())["rows"].level == "review"
    assert judge([CARRIED], "research", shipped())["rows"].level == "ok", "rows alone do not know it"


def test_every_server_of_a_teacher_is_kept() -> None:
    named = [Input("teacher's answers", "org/t@1", ("mit",), host) for host in ("localhost", "api.openai.com")]
    assert [one.host for one in joined([CARRIED], named)] == ["localhost", "api.openai.com"]


def test_what_is_on_this_machine_no_more_is_as_rows_of_it_say() -> None:
    away = Input("real data", "chat.jsonl@unversioned", seen=False)
    here = Input("real data", "chat.jsonl@sha256:1", ("mit",))
    assert joined([here], [away]) == [here]
    assert joined([], [away]) == [away]


def test_what_a_test_set_was_made_from_is_another_thing_than_what_is_learnt() -> None:
    learnt, aside = Input("real data", "d@1", ("mit",)), Input("real data", "d@1", ("cc-by-nc-4.0",), learnt=False)
    found = judge(joined([learnt, aside], [Input("real data", "d@1", ("mit",))]), "commercial", shipped())
    assert {form: verdict.level for form, verdict in found.items()} == {
        "adapter": "ok",
        "merged": "ok",
        "rows": "blocked",
    }
