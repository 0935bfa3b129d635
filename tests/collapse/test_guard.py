"""The guard of a run's rows: what stops, what is only told, what it says to do."""

from __future__ import annotations

import json
import random
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from distill.collapse import found as finding
from distill.collapse import measuring, stage
from distill.collapse.gate import Limits
from distill.collapse.settings import Guard
from distill.context import Context, Resolved
from distill.errors import CollapseError
from distill.rows import Message, Provenance, Row, root_of, to_line, write_rows

WORDS = [f"w{place}" for place in range(3000)]
ZIPF = [1 / (rank + 2) for rank in range(3000)]


def rows(count: int, source: str, seed: int, power: float = 1.0, origin: str = "") -> list[Row]:
    """Texts whose words are as common as in any language; with a higher power the common ones are still commoner."""
    draw = random.Random(seed)
    weights = [weight**power for weight in ZIPF]
    made = []
    for number in range(count):
        answer = " ".join(draw.choices(WORDS, weights, k=draw.randint(15, 40)))
        messages = (
            Message(role="user", content=f"{source} {seed} {number}?"),
            Message(role="assistant", content=answer),
        )
        provenance = Provenance(
            source="teacher" if source == "teacher" else "real",
            origin=origin or f"{source}@1",
            method="answer",
            root=root_of(messages),
        )
        made.append(Row(kind="chat", messages=messages, provenance=provenance))
    return made


def put(
    folder: Path,
    real: Sequence[Row],
    teacher: Sequence[Row],
    mix: Sequence[Row],
    dropped: Sequence[tuple[str, Row]] = (),
) -> dict[str, Path]:
    inputs = {name: folder / name for name in ("filter", "mix")}
    for path in (*inputs.values(), folder / "panel", folder / "guard"):
        path.mkdir(exist_ok=True)
    write_rows(inputs["filter"] / "real.jsonl", real)
    write_rows(inputs["filter"] / "kept.jsonl", teacher)
    write_rows(inputs["mix"] / "train.jsonl", mix)
    lines = (json.dumps({"filter": name, "row": json.loads(to_line(row))}) + "\n" for name, row in dropped)
    (inputs["filter"] / "dropped.jsonl").write_text("".join(lines))
    return inputs


def guard(folder: Path, inputs: dict[str, Path], resolved: dict[str, Resolved] | None = None, **said: Any) -> list[str]:
    """Its notes."""
    spec, context = Guard.model_validate(said), Context(folder / "cache", resolved or {})
    measuring.run(measuring.Spec(embedder=spec.embedder, seed=3), inputs, folder / "panel", context)
    summary = stage.run(stage.Spec.of(spec), {"panel": folder / "panel"}, folder / "guard", context)
    notes: list[str] = summary["notes"]
    return notes


REAL, ALIKE, POOR = rows(80, "real", 1), rows(80, "teacher", 2), rows(80, "teacher", 3, power=2.0)


def test_rows_as_varied_as_peoples_pass_and_the_panel_is_there_to_be_read(tmp_path: Path) -> None:
    notes = guard(tmp_path, put(tmp_path, REAL, ALIKE, [*ALIKE, *REAL[:20]]))
    found = finding.read(tmp_path / "guard")
    assert found.panel is not None and not found.alarms and found.unsaid is None
    assert found.panel.numbers["coverage"]["mix"].low < found.panel.numbers["coverage"]["mix"].value
    assert found.synthetic == 0.8
    (share,) = notes
    assert share.startswith("80% of the mix were written by a model, more than guard.max_synthetic 30%")
    assert "2510.05133" in share and share.endswith("try mix.real_fraction: 0.7")


def test_a_share_that_the_evidence_supports_is_no_note(tmp_path: Path) -> None:
    assert guard(tmp_path, put(tmp_path, REAL, ALIKE, [*ALIKE[:20], *REAL])) == []
    assert guard(tmp_path, put(tmp_path, REAL, ALIKE, ALIKE), max_synthetic=1) == []


def test_a_mix_poorer_than_peoples_rows_stops_the_run_with_numbers_and_remedies(tmp_path: Path) -> None:
    inputs = put(tmp_path, REAL, POOR, POOR)
    with pytest.raises(CollapseError) as caught:
        guard(tmp_path, inputs)
    said = str(caught.value)
    assert said.startswith(
        "guard: what is to be learnt from has lost more of what people's texts have than guard.limits allows"
    )
    assert "entropy_1 of the mix rows fell by" in said and "difference 95% [" in said
    assert "teacher rows" not in said, "what stops is what is learnt from"
    for line in ("mix.real_fraction: 0.5", "generate.sampling.temperature: 1.0", "guard.stop: false"):
        assert line in said
    found = finding.read(tmp_path / "guard")
    assert {alarm.corpus for alarm in found.alarms} == {"teacher", "mix"}, "it is written before it stops"


def test_with_stop_false_all_is_told_and_nothing_stops(tmp_path: Path) -> None:
    notes = guard(tmp_path, put(tmp_path, REAL, POOR, POOR), stop=False)
    fallen = [note for note in notes if "entropy_1 of the" in note]
    assert len(fallen) == 2 and all("try " in note for note in fallen)


def test_limits_are_the_recipes(tmp_path: Path) -> None:
    free = dict.fromkeys(Limits.model_fields)
    assert len(guard(tmp_path, put(tmp_path, REAL, POOR, POOR), limits=free)) == 1
    with pytest.raises(CollapseError, match="coverage of the mix rows") as caught:
        guard(tmp_path, put(tmp_path, REAL, POOR, POOR), limits={**free, "coverage": 0.1})
    assert "entropy" not in str(caught.value).split("->")[0]


def test_too_few_texts_are_said_and_never_taken_as_well(tmp_path: Path) -> None:
    notes = guard(tmp_path, put(tmp_path, REAL[:12], POOR, POOR))
    assert notes[0] == (
        "The guard says nothing of the rows' variety: 12 texts of real: fewer than 40 say what chance says."
    )
    assert finding.read(tmp_path / "guard").panel is None


def test_preferences_are_rows_that_are_learnt_from(tmp_path: Path) -> None:
    inputs = put(tmp_path, REAL, POOR, [])
    rejected = (Message(role="assistant", content="no"),)
    write_rows(
        inputs["mix"] / "preference.jsonl",
        [row.model_copy(update={"kind": "preference", "rejected": rejected}) for row in POOR],
    )
    with pytest.raises(CollapseError, match="mix rows"):
        guard(tmp_path, inputs)


def test_a_filter_that_takes_the_tail_is_named_and_one_that_drops_by_lot_is_not(tmp_path: Path) -> None:
    wanted = {word for row in REAL for word in set(row.answer.split())}
    rare = {word for word in wanted if sum(word in row.answer.split() for row in REAL) <= 5}
    teacher = rows(200, "teacher", 4)
    by_tail = sorted(teacher, key=lambda row: len(set(row.answer.split()) & rare))
    taken = {row.id for row in by_tail[-40:]}
    left = [row for row in teacher if row.id not in taken]
    dropped = [("perplexity", row) for row in teacher if row.id in taken] + [("repetition", row) for row in left[:40]]
    notes = guard(tmp_path, put(tmp_path, REAL, left[40:], left[40:], dropped), max_synthetic=1)
    (note,) = notes
    assert note.startswith("The filter perplexity takes the tail: with 40 of 200 teacher rows it dropped ")
    assert "as many rows drawn by lot have" in note and "filter+='{kind: perplexity" in note
    lost = {one.filter: one for one in finding.read(tmp_path / "guard").tail["teacher"]}
    assert lost["perplexity"].beyond > 0.05 and lost["repetition"].beyond == 0
    assert guard(tmp_path, put(tmp_path, REAL, left, left, dropped), max_synthetic=1, max_tail_lost=0.9) == []


def test_a_teacher_that_is_itself_a_student_is_named(tmp_path: Path) -> None:
    student = tmp_path / "student"
    student.mkdir()
    (student / "student.json").write_text(json.dumps({"depth": 2}))
    taught = Resolved("run:before/train", student, "abc")
    mix = rows(80, "teacher", 5, origin=f"base@1+{taught.origin}")
    notes = guard(tmp_path, put(tmp_path, REAL, mix, mix), {taught.ref: taught}, max_synthetic=1)
    (note,) = notes
    assert "run:before/train@abc writes rows and is itself a student, 2 generations of models away" in note
    assert guard(tmp_path, put(tmp_path, REAL, ALIKE, ALIKE), {taught.ref: taught}, max_synthetic=1) == []


def test_a_mix_of_real_rows_alone_has_no_teacher_to_be_judged(tmp_path: Path) -> None:
    assert guard(tmp_path, put(tmp_path, REAL, [], REAL)) == []
    found = finding.read(tmp_path / "guard")
    assert found.panel is not None and set(found.panel.numbers["coverage"]) == {"real", "mix"} and found.synthetic == 0


def test_what_is_rare_is_told_from_real_rows_that_were_dropped_too(tmp_path: Path) -> None:
    """A filter that drops every real row with a rare word leaves no rare word in those that are kept."""
    real = rows(200, "real", 6)
    holders = Counter(word for row in real for word in set(row.answer.split()))
    rarest = sorted(real, key=lambda row: sum(holders[word] <= 2 for word in set(row.answer.split())))
    dropped = [("length", row) for row in rarest[-60:]]
    notes = guard(tmp_path, put(tmp_path, rarest[:-60], ALIKE, ALIKE, dropped), max_synthetic=1)
    (lost,) = finding.read(tmp_path / "guard").tail["real"]
    assert lost.filter == "length" and lost.rows == 60 and lost.beyond > 0.05
    assert any(note.startswith("The filter length takes the tail: with 60 of 200 real rows") for note in notes)


def test_rows_of_earlier_students_are_named_by_the_generations_that_they_carry(tmp_path: Path) -> None:
    wrote = rows(80, "teacher", 7, origin="run:x/train@1")
    old = [deeper(row, 3 + place % 2) for place, row in enumerate(wrote)]
    guard(tmp_path, put(tmp_path, REAL, ALIKE, [*ALIKE, *old]), max_synthetic=1)
    assert finding.read(tmp_path / "guard").descended == {"run:x/train@1": 2}
    (note,) = guard(tmp_path, put(tmp_path, REAL, ALIKE, [*ALIKE, *old]), max_synthetic=1)
    assert note.startswith(
        "run:x/train@1, which this recipe does not name, wrote rows with 2 generations of models before it"
    )
    first = [deeper(row, 1) for row in ALIKE]
    assert guard(tmp_path, put(tmp_path, REAL, first, first), max_synthetic=1) == []


def test_limits_are_held_against_numbers_that_are_there(tmp_path: Path) -> None:
    """No row is read again, whatever is allowed; what is said of the student and what is followed decide nothing here."""
    guard(tmp_path, put(tmp_path, REAL, POOR, POOR), stop=False)
    for path in (tmp_path / "filter", tmp_path / "mix"):
        shutil.rmtree(path)
    with pytest.raises(CollapseError, match="entropy_1 of the mix rows"):
        stage.run(stage.Spec.of(Guard()), {"panel": tmp_path / "panel"}, tmp_path / "guard", Context(tmp_path, {}))
    watched: Any = {"attributes": [{"kind": "length", "name": "long", "min_words": 9}], "limits": {"real_loss": 0.5}}
    assert stage.Spec.of(Guard.model_validate(watched)) == stage.Spec.of(Guard())


def deeper(row: Row, depth: int) -> Row:
    return row.model_copy(update={"provenance": row.provenance.model_copy(update={"depth": depth})})
