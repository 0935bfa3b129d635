"""instructions: prompts with instructions that a program can check, in the form of IFEval (Zhou et al. 2023, 2311.07911).

    {kind: instructions, source: {data: ifeval.jsonl, prompt: prompt}}

Each line has `instruction_id_list`, and under `kwargs` the arguments of each. Strict is the answer as it is; loose also
what is left of it without its first or last line and without asterisks.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from distill.errors import SourceError
from distill.evidence import CHECKS as CHECKED
from distill.rows import Row, to_json
from distill.suites.instructions.checks import CHECKS, check, loosely
from distill.suites.sourced import Sourced
from distill.suites.suite import Answered, Answering, Judged, cut, mean

IDS, ARGUMENTS = "instruction_ids", "instruction_arguments"


class Instructions(Sourced, Answering):
    """How well instructions are followed, without a reference and without a judge."""

    kind: Literal["instructions"] = "instructions"
    METRICS: ClassVar[tuple[str, ...]] = ("followed", "followed_loose", "instructions")
    max_new_tokens: int = Field(1024, gt=0)
    """Of an answer."""
    ids: str = "instruction_id_list"
    """Column that holds the ids of the instructions, as a list."""
    arguments: str = "kwargs"
    """Column that holds their arguments: a list of objects, one for each id."""

    @model_validator(mode="after")
    def _columns_are_there(self) -> Self:
        if self.source.has_rows:
            raise ValueError(f"{self.source.data!r} holds rows, and instructions are columns: name their own data")
        return self

    @property
    def columns(self) -> Mapping[str, str]:
        return {IDS: self.ids, ARGUMENTS: self.arguments}

    def prepared(self, rows: Sequence[Row]) -> list[Row]:
        read = [(row, self._list(row, IDS)) for row in rows]
        if unknown := sorted({str(one) for _, ids in read for one in ids} - CHECKS.keys()):
            raise SourceError(
                f"instructions that are not known here: {', '.join(unknown)}",
                where=self.place,
                hint=f"known are {', '.join(CHECKS)}",
            )
        return [self._asked(row, ids) for row, ids in read]

    def _asked(self, row: Row, ids: Sequence[str]) -> Row:
        """The row with its instructions in one list, each with its arguments, once they are found to fit."""
        arguments = [one or {} for one in self._list(row, ARGUMENTS)]
        if not ids or len(ids) != len(arguments) or not all(isinstance(one, dict) for one in arguments):
            raise self._wrong(row, f"{len(ids)} instructions with {len(arguments)} sets of arguments")
        told = [
            {"id": name, "arguments": {key: value for key, value in one.items() if value is not None}}
            for name, one in zip(ids, arguments, strict=True)
        ]
        try:
            _checks(told)
        except ValueError as error:
            raise self._wrong(row, str(error)) from error
        evidence = {name: text for name, text in row.evidence.items() if name not in (IDS, ARGUMENTS)}
        return row.model_copy(update={"evidence": {**evidence, CHECKED: to_json(told)}})

    def _list(self, row: Row, name: str) -> list[Any]:
        try:
            found = json.loads(row.evidence.get(name, "[]"))
        except ValueError:
            found = None
        if not isinstance(found, list):
            raise self._wrong(row, f"`{self.ids if name == IDS else self.arguments}` holds no list")
        return found

    def _wrong(self, row: Row, why: str) -> SourceError:
        return SourceError(f"{row.question[:80]!r}: {why}", where=self.place)

    def judge(self, asked: Sequence[Answered]) -> list[Judged]:
        return [self._judged(one) for one in asked]

    def _judged(self, one: Answered) -> Judged:
        checks = _checks(json.loads(one.row.evidence[CHECKED]))
        answers = [cut(answer, self.until) for answer in one.answers]
        strict = [[check(answer) for check in checks.values()] for answer in answers]
        loose = [all(any(map(check, loosely(answer))) for check in checks.values()) for answer in answers]
        failed = [name for name, held in zip(checks, strict[0], strict=True) if not held]
        return Judged(
            {
                "followed": mean([float(all(held)) for held in strict]),
                "followed_loose": mean([float(held) for held in loose]),
                "instructions": mean([sum(held) / len(held) for held in strict], weight=len(checks)),
            },
            found=f"not followed: {', '.join(name.partition(' ')[2] for name in failed)}" if failed else "all followed",
        )


def _checks(told: Sequence[Mapping[str, Any]]) -> dict[str, Callable[[str], bool]]:
    """By number and id: one instruction may be there twice."""
    return {f"{place} {one['id']}": check(one["id"], one["arguments"]) for place, one in enumerate(told)}
