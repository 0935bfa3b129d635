"""Arms with answers of a known worth, and judges of a known taste, behind the seam of engines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.context import Context, Ranks, Resolved
from distill.engines import teacher
from distill.engines.batches import share
from distill.engines.store import AnswerStore, StoredEngine
from distill.engines.teacher import Teacher
from distill.judge import stage
from distill.judge.settings import Judge, Spec, prompt_digest
from distill.protocols import Completion, Request
from distill.rows import Message, Provenance, Row, root_of, write_rows
from distill.suites.heldout import HeldOutReal, HeldOutTeacher

Say = Callable[[str, str, str], str | Completion]
"""Question and the two answers as they are shown -> what the judge says."""
Arms = Mapping[str, Sequence[str | None]]
"""By arm, an answer to each question."""
SHOWN = re.compile(
    r"<question>\n(.*?)\n</question>\n\n<answer_A>\n(.*?)\n</answer_A>\n\n<answer_B>\n(.*?)\n</answer_B>", re.DOTALL
)
SUITES = (HeldOutReal(), HeldOutTeacher())


def question(number: int) -> str:
    return f"What is fact {number}?"


def right(number: int, more: str = "") -> str:
    return f"It is value-{number}.{more}"


def wrong(number: int, more: str = "") -> str:
    return f"Nobody has told me of {number} yet.{more}"


def row(number: int, system: str | None = None) -> Row:
    messages = (
        *((Message(role="system", content=system),) if system else ()),
        Message(role="user", content=question(number)),
        Message(role="assistant", content="By hand."),
    )
    provenance = Provenance(source="real", origin="d@1", method="real", root=root_of(messages))
    return Row(kind="chat", messages=messages, provenance=provenance)


def write(
    folder: Path, arms: Arms, rows: Sequence[Row] | None = None, suites: Sequence[str] = ("heldout_real",)
) -> dict[str, Path]:
    """The folders that the stage reads."""
    count = len(next(iter(arms.values())))
    rows = rows or [row(number) for number in range(count)]
    (folder / "split" / "heldout").mkdir(parents=True)
    (folder / "heldout").mkdir()
    write_rows(folder / "split" / "heldout" / "chat.jsonl", rows)
    write_rows(folder / "heldout" / "rows.jsonl", rows)
    inputs = {"split": folder / "split", "heldout": folder / "heldout"}
    for arm, answers in arms.items():
        inputs[f"evaluate/{arm}"] = out = folder / f"arm-{arm}"
        out.mkdir()
        lines = [
            {"suite": suite, "item": one.id, "answer": text}
            for suite in suites
            for one, text in zip(rows, answers, strict=True)
        ]
        (out / "items.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return inputs


def choice(better: str, reason: str = "so it is") -> str:
    return json.dumps({"reason": reason, "better": better})


def perfect(asked: str, a: str, b: str) -> str:
    """Knows what is right, and that it knows nothing else."""
    value = "value-" + asked.split()[-1].rstrip("?") + "."
    good = [value in text for text in (a, b)]
    return choice("tie" if good[0] == good[1] else "A" if good[0] else "B")


def by_place(asked: str, a: str, b: str) -> str:  # noqa: ARG001
    return choice("A", "the first looks good")


def by_length(asked: str, a: str, b: str) -> str:  # noqa: ARG001
    return choice("tie" if len(a) == len(b) else "A" if len(a) > len(b) else "B")


def mute(asked: str, a: str, b: str) -> str:  # noqa: ARG001
    return "Both answers have <b>merits</b>, I should say."


@dataclass
class Canned:
    """Says what a test says, to this rank's share of what is not known."""

    say: Say
    ranks: Ranks = Ranks()
    name: str = "canned"
    template: str = "template"
    asked: list[Request] = field(default_factory=list)

    def generate(self, requests: Sequence[Request], known: Mapping[str, int]) -> Iterator[Completion]:
        new = [request for request in requests if request.key not in known]
        for request in share(new[::-1], self.ranks.rank, self.ranks.world):
            self.asked.append(request)
            shown = SHOWN.search(request.messages[-1].content)
            said = self.say(*shown.groups()) if shown else self.say("", "", "")
            if isinstance(said, str):
                said = Completion(request.key, said, "stop", 10, 3)
            yield Completion(request.key, said.text, said.finish, 10, 3, error=said.error)

    def late(self) -> list[Completion]:
        return []

    def close(self) -> None: ...


def judged(
    inputs: Mapping[str, Path],
    say: Say,
    monkeypatch: Any,
    ranks: Ranks | None = None,
    out: str = "judge",
    runtime: Any = None,
    against: Mapping[str, str] | None = None,
    **fields: Any,
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]], list[Request]]:
    """Runs the stage: its summary, judged.json, the lines of verdicts.jsonl, and what was asked."""
    root, one = inputs["split"].parent, ranks or Ranks()
    judge = Judge(**{"by": "critic", "pairs": [["student", "base"]], **fields})
    engine = Canned(say, one)
    if monkeypatch is not None:
        monkeypatch.setattr(
            teacher, "open_engine", lambda *_, **__: StoredEngine(engine, AnswerStore(root / "answers"), one)
        )
    names = {"J": "org/Critic-7B", "T": "org/Pupil-T", "S": "org/Pupil-S"}
    resolved = {name: Resolved(name, root, f"{name}-1") for name in ("org/Critic-7B", *(against or {}).values())}
    if judge.labels:
        resolved[judge.labels.data] = Resolved(judge.labels.data, root / judge.labels.data, "sha256:l")
    spec = Spec(
        judge=judge,
        teachers={"critic": Teacher(model=names["J"], **({"engine": {"kind": "server"}} if runtime else {}))},
        suites=tuple(suite for suite in SUITES if not judge.suites or suite.label in judge.suites),
        against=dict(against or {}),
        prompt=prompt_digest(judge),
    )
    folder = root / out
    folder.mkdir(exist_ok=True)
    context = Context(root / "cache", resolved, ranks=one, **({"runtime": runtime} if runtime else {}))
    summary = stage.run(spec, inputs, folder, context)
    if not one.main:
        return summary, {}, [], engine.asked
    lines = [json.loads(line) for line in (folder / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()]
    return summary, json.loads((folder / "judged.json").read_text(encoding="utf-8")), lines, engine.asked
