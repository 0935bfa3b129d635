from __future__ import annotations

from typing import Any

import pytest

from distill.train.keep import choose, in_vain
from distill.train.sft import Sft


def lines(*real: float | None) -> list[dict[str, Any]]:
    """Step 0 and a checkpoint at every step with what was measured there."""
    return [
        {"step": step, **({"loss": 9.0 - step} if step else {}), **({} if loss is None else {"real_loss": loss})}
        for step, loss in enumerate(real)
    ]


def test_the_best_on_real_rows_is_kept_the_first_of_equals() -> None:
    kept = choose(lines(9.0, 4.0, 3.0, None, 3.0, 5.0), Sft(), planned=5)
    assert (kept.step, kept.ended, kept.real_loss, kept.start, kept.last) == (2, 5, 3.0, 9.0, 5.0)
    assert kept.words == "step 2 of 5, the best of its checkpoints on real rows"
    (note,) = kept.notes(rows=7)
    assert "step 2 of 5" in note and "3.0000 nats per token on 7 real" in note and "9.0000 before" in note


def test_the_last_one_where_the_recipe_says_so_or_nothing_was_measured() -> None:
    assert choose(lines(9.0, 4.0, 5.0), Sft(checkpoint="last"), planned=2).step == 2
    bare = choose(lines(None, None, None), Sft(), planned=2)
    assert (bare.step, bare.real_loss, bare.notes(0)) == (2, None, [])
    assert bare.words == "step 2 of 2, the last one"


def test_what_training_did_not_better_is_said() -> None:
    notes = choose(lines(2.0, 4.0, 5.0), Sft(patience=1), planned=8).notes(7)
    assert "No checkpoint was better on real rows than the student before training." in notes
    assert any("ended after step 2 of 8" in note for note in notes)


@pytest.mark.parametrize(
    ("real", "patience", "ends"),
    [
        ((9.0,), 1, False),
        ((9.0, 4.0), 1, False),
        ((9.0, 4.0, 5.0), 1, True),
        ((9.0, 4.0, 5.0), 2, False),
        ((9.0, 4.0, 5.0, None, 6.0), 2, True),
        ((9.0, 4.0, 5.0, 3.0, 3.0), 2, False),
        ((9.0, 4.0, 5.0, 6.0, 7.0), None, False),
        ((None, None), 1, False),
    ],
)
def test_patience_counts_checkpoints_since_the_best(real: tuple[float | None, ...], patience: Any, ends: bool) -> None:
    assert in_vain(lines(*real), Sft(patience=patience)) == ends
