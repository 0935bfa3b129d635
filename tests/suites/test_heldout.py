"""python -m pytest tests/suites/test_heldout.py"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from distill.errors import SourceError
from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.suites.heldout import evaluated, items


def row(question: str, answer: str | None, source: Literal["teacher", "real"] = "real") -> Row:
    messages = [Message(role="user", content=question)]
    if answer is not None:
        messages.append(Message(role="assistant", content=answer))
    provenance = Provenance(source=source, origin="o@1", method="real", root=root_of(messages))
    return Row(kind="prompt" if answer is None else "chat", messages=tuple(messages), provenance=provenance)


REAL = {
    "a": [row("What?", "This."), row("what", "That."), row("Who?", "She."), row("Alone?", None)],
    "b": [row("WHAT?", "Both."), row("Why?", "Because.")],
}
TEACHER = [row(q, "I say so.", "teacher") for q in ("Why?", "What?", "Who?")]


def write(folder: Path, reverse: bool = False) -> tuple[Path, Path]:
    """A split and the teacher's held-out answers, in this or the other order."""
    split, heldout = folder / "split", folder / "heldout"
    (split / "heldout").mkdir(parents=True)
    heldout.mkdir()
    step = -1 if reverse else 1
    for name, rows in REAL.items():
        write_rows(split / "heldout" / f"{name}.jsonl", rows[::step])
    write_rows(heldout / "rows.jsonl", TEACHER[::step])
    return split, heldout


def test_one_row_for_each_prompt_in_a_fixed_order(tmp_path: Path) -> None:
    real, teacher = (items(suite, *write(tmp_path / suite)) for suite in ("heldout_real", "heldout_teacher"))
    expected = sorted(root_of([Message(role="user", content=q)]) for q in ("What?", "Who?", "Why?"))
    assert [item.provenance.root for item in real] == expected
    assert [item.provenance.root for item in teacher] == expected
    assert {item.provenance.source for item in teacher} == {"teacher"}
    what = next(item for item in real if item.question.lower().startswith("what"))
    assert what.id == min(r.id for rows in REAL.values() for r in rows if r.question.lower().startswith("what"))


@pytest.mark.parametrize("suite", ["heldout_real", "heldout_teacher"])
def test_the_order_of_the_files_does_not_matter(
    suite: Literal["heldout_teacher", "heldout_real"], tmp_path: Path
) -> None:
    forward, backward = (items(suite, *write(tmp_path / str(reverse), reverse)) for reverse in (False, True))
    assert [r.id for r in forward] == [r.id for r in backward]


def test_everything_held_out_is_evaluated_on(tmp_path: Path) -> None:
    split, heldout = write(tmp_path)
    found = [r.id for r in evaluated({"split": split, "heldout": heldout, "generate": tmp_path})]
    assert sorted(found) == sorted(r.id for r in (*REAL["a"], *REAL["b"], *TEACHER))
    assert sorted(r.id for r in evaluated({"split": split})) == sorted(r.id for r in (*REAL["a"], *REAL["b"]))
    twice = [r.id for r in evaluated({"split": split, "heldout": heldout, "benchmark": heldout})]
    assert len(twice) == len(found) + len(TEACHER)


def test_missing_folders_are_not_empty_suites(tmp_path: Path) -> None:
    split, heldout = write(tmp_path)
    with pytest.raises(SourceError, match="the split is not there"):
        items("heldout_real", tmp_path / "nowhere", heldout)
    with pytest.raises(SourceError, match="no held-out answers"):
        list(evaluated({"split": split, "heldout": tmp_path / "nowhere"}))
