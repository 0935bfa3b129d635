"""code: a problem, solutions and tests; kept only if a solution passes the tests in a sandbox, and the tests test something.

Problems come from the data or are written after a few seeds. Where the data bring tests, those decide; else the teacher
writes some from the problem and the head of the solution, not from its body: tests that are read off a program find
nothing. Python only.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field, model_validator

from distill.evidence import ENTRY_POINT, TESTS
from distill.generate.author import Unusable, opened, said, user
from distill.generate.draws import distinct, prompts, several
from distill.generate.instructions import COPY, opening, written
from distill.generate.known import Known
from distill.generate.method import Candidate, Check, MethodSpec, Work
from distill.generate.self_instruct import MAX_WORDS, check, one_more
from distill.programs import reading
from distill.programs.trial import Trial, trial
from distill.protocols import Completion
from distill.rows import Message, Row
from distill.sandbox.outcome import Limits
from distill.sandbox.run import require
from distill.words import words


class Code(MethodSpec):
    kind: Literal["code"] = "code"
    problems: str | None = None
    """Name under `real` whose training prompts are solved; its `evidence` may have `tests` and an `entry_point`."""
    seeds: str | None = None
    """Name under `real` whose training prompts are shown, so that the teacher writes problems like them."""
    shown: int = Field(3, ge=1, le=20)
    """Seeds shown in one request."""
    problem_tokens: int = Field(128, gt=0)
    """Most tokens of a new problem; one that is longer is cut and counted as a failure."""
    solutions: int = Field(1, ge=1, le=16)
    """Solutions asked to one problem; the first that passes is kept."""
    test_sets: int = Field(1, ge=1, le=16)
    """Sets of tests asked where the data bring none; the first that a solution passes and that tests something decides."""
    asserts: int = Field(3, ge=1, le=20)
    """Tests asked in one set."""
    rejects: float = Field(0.5, ge=0, le=1)
    """Least share of programs with a fault that the tests must refuse. One that does nothing they must always refuse."""
    limits: Limits = Limits(seconds=5)
    """Of each run of a program."""
    system: str | None = None
    """System message put before each problem that has none."""

    FILES: ClassVar = ("problem", "solution", "tests")
    SCORES: ClassVar = ("solutions_passed", "faults_refused")

    @model_validator(mode="after")
    def _one_source(self) -> Code:
        if (self.problems is None) == (self.seeds is None):
            raise ValueError("either `problems` or `seeds` says where the problems come from")
        return self

    @property
    def reads(self) -> tuple[str, ...]:
        return (self.problems or self.seeds or "",)

    @property
    def several(self) -> int:
        return max(self.solutions, self.test_sets)

    def candidates(self, work: Work) -> Iterator[Candidate]:
        """Every distinct problem once, or new ones without end.

        Raises:
            SandboxError: this machine cannot confine a program.
        """
        require()
        rows = work.rows[self.reads[0]]
        if self.problems is not None:
            for row in prompts(rows, work.author.seed):
                yield self.candidate([row], row.prompt, work)
            return
        pool = distinct(row for row in rows if len(words(opening(row))) <= MAX_WORDS)
        known = Known(map(opening, pool), COPY)
        index = 0
        while pool:
            yield self.invented(several(pool, self.shown, work.author.seed, "seeds", index), known, work, index)
            index += 1

    def invented(self, seeds: Sequence[Row], known: Known, work: Work, index: int) -> Candidate:
        """A new problem, and its solution."""
        turns = one_more(seeds, lambda written: self.prompt("problem", written=written))
        completion: Completion = yield work.author.ask(turns, index, self.problem_tokens)
        problem = written(completion, MAX_WORDS, what="problem")
        check(problem, known)
        known.add(problem)
        return (yield from self.candidate(seeds, [user(problem)], work))

    def candidate(self, parents: Sequence[Row], prompt: Sequence[Message], work: Work) -> Candidate:
        """The first solution that passes, with the tests it passed."""
        problem = prompt[-1].content
        shown = opened(self.system, prompt)
        asked = user(self.prompt("solution", problem=problem, is_code=bool(reading.defined(problem))))
        requests = tuple(work.author.ask([*shown[:-1], asked], sample) for sample in range(self.solutions))
        completions: list[Completion] = yield requests
        found = programs(completions, problem)
        codes = list(dict.fromkeys(found.values()))
        given = parents[0].evidence if self.problems is not None else {}
        name = (
            given.get(ENTRY_POINT) or reading.tested(given.get(TESTS, ""), codes) or reading.entry_point(codes[0]) or ""
        )
        sets = [given[TESTS]] if TESTS in given else (yield from self.tests(problem, codes, name, work))
        trials: list[Trial] = yield Check(partial(tried, codes, name, sets, self.limits))
        tests, result = self.verdict(sets, trials)
        best = codes[result.best or 0]
        place = next(place for place, code in found.items() if code == best)
        answer = completions[place]
        return work.author.row(
            requests[place],
            answer,
            work.stream,
            parents,
            messages=(*shown, Message(role="assistant", content=answer.text, reasoning=answer.reasoning)),
            evidence={TESTS: tests, ENTRY_POINT: name},
            scores={
                "solutions_passed": round(
                    sum(result.passed[codes.index(code)] for code in found.values()) / len(completions), 6
                ),
                "faults_refused": round(result.rejected / result.mutants, 6) if result.mutants else 1.0,
            },
            tests_by="data" if TESTS in given else "teacher",
        )

    def tests(self, problem: str, codes: Sequence[str], name: str, work: Work) -> Generator[Any, Any, list[str]]:
        """Sets of tests that the teacher writes, of those that can be read.

        Raises:
            Unusable: `no_entry_point`, `engine_error`, `empty_tests` or `no_tests`.
        """
        code = next((code for code in codes if name in reading.defined(code)), None)
        if code is None:
            raise Unusable("no_entry_point", f"no solution defines {name}")
        head = reading.signature(code, name)
        what = "class" if head.startswith("class") else "function"
        told = self.prompt("tests", problem=problem, signature=head, what=what, function=name, count=self.asserts)
        completions = yield tuple(work.author.ask([user(told)], sample) for sample in range(self.test_sets))
        texts = [said(completion, "tests") for completion in completions]
        names = frozenset(reading.defined(code))
        sets = [tests for text in texts if (tests := reading.tests(text, names)) is not None]
        if not sets:
            raise Unusable("no_tests", texts[0])
        return list(dict.fromkeys(sets))

    def verdict(self, sets: Sequence[str], trials: Sequence[Trial]) -> tuple[str, Trial]:
        """The first set of tests that a solution passes and that can tell right from wrong.

        Raises:
            Unusable: `failed_tests`, or `vacuous_tests` where a solution passes and would whatever it did.
        """
        passed = [(tests, one) for tests, one in zip(sets, trials, strict=True) if one.best is not None]
        if not passed:
            raise Unusable("failed_tests", f"{trials[0].why[0]}\n{sets[0]}")
        for tests, one in passed:
            if not one.vacuous and one.rejected >= self.rejects * one.mutants:
                return tests, one
        tests, one = passed[0]
        found = one.vacuous or f"{one.mutants - one.rejected} of {one.mutants} programs with a fault"
        raise Unusable("vacuous_tests", f"they pass {found}\n{tests}")


def programs(completions: Sequence[Completion], problem: str) -> dict[int, str]:
    """The program in each answer that came to an end, by its place.

    Raises:
        Unusable: `engine_error`, `unfinished_solution` or `no_program`: there is none.
    """
    if all(completion.finish == "error" for completion in completions):
        raise Unusable("engine_error", completions[0].error or "")
    ended = {place: one.text for place, one in enumerate(completions) if one.finish == "stop"}
    if not ended:
        raise Unusable("unfinished_solution", completions[0].text[-200:])
    found = {place: code for place, text in ended.items() if (code := reading.program(text, problem)) is not None}
    if not found:
        raise Unusable("no_program", next(iter(ended.values())))
    return found


def tried(codes: Sequence[str], name: str, sets: Sequence[str], limits: Limits) -> list[Trial]:
    """Each set of tests, on all solutions."""
    return [trial(codes, name, tests, limits) for tests in sets]
