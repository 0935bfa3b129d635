"""held-out rows -> rows.jsonl of kind benchmark: questions with reference answers, to measure with and never to train on.

    a method's candidate, on the held-out side of the split   -> question and answer
    the answer asked for a second time, in few words           -> reference, where both agree

The roots of the items are held-out roots, so that they are apart from training by construction; and generation, filter
and mix judge training rows against them besides. It knows nothing of how a student is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field, model_validator

from distill import templates
from distill.cards import UNKNOWN
from distill.context import Context
from distill.engines.teacher import Teacher
from distill.generate.author import Author, Unusable, whole
from distill.generate.books import counts, notes, shortfall, write_failures
from distill.generate.drive import Outcome
from distill.generate.instructions import COPY, bare, overlap
from distill.generate.method import PROMPTS, Candidate, Work
from distill.generate.rounds import Rounds
from distill.generate.settings import Generate
from distill.generate.stage import driver_of, roots_of, side_rows, streams_of, templates_digest
from distill.generate.teacher import Staff, staff
from distill.grounding import agree
from distill.protocols import KEEP, Completion, Judged, Summary, Verdict
from distill.rows import Frozen, Message, Row, digest, normalise, read_rows, write_rows
from distill.words import words

VERSION = 1
NAME = "benchmark"
TOKENS = 48
"""Most tokens of a reference answer."""


class Benchmark(Generate):
    """A synthetic test set: methods as in `generate`, which start from the held-out side of the split."""

    rows: int = Field(gt=0)
    """Items, exactly so many."""
    confirm: str | None = None
    """Name of the model that is asked for the answer a second time; the method's own teacher when not given. Where the two
    answers do not agree there is no item."""
    reference_words: int = Field(8, ge=1)
    """Most words that a reference answer adds to its question: what is longer two models hardly ever say alike."""
    template: str | None = None
    """Jinja text in place of the prompt file `benchmark/short`, which asks for the answer in few words."""

    @model_validator(mode="after")
    def _from_held_out_rows(self) -> Benchmark:
        for method in self.methods:
            if method.MAKES != "chat":
                raise ValueError(
                    f"{method.name} makes rows of kind {method.MAKES}, and an item is a question with its answer"
                )
            if not method.reads:
                raise ValueError(f"{method.name} starts from no data, and an item descends from a held-out row")
        return self

    @property
    def asks(self) -> tuple[str, ...]:
        named = (*super().asks, self.confirm) if self.confirm else super().asks
        return tuple(dict.fromkeys(named))

    @property
    def text(self) -> str:
        """Of the prompt file that asks for the answer in few words."""
        return self.template if self.template is not None else templates.shipped(PROMPTS, NAME, "short")

    @property
    def digest(self) -> str:
        """Of every prompt file it asks with."""
        return digest([templates_digest(self.methods), self.text])[:16]

    def confirmed(self, work: Work, candidate: Candidate) -> Candidate:
        """The row that a method makes, as an item: with the answer confirmed."""
        row: Row = yield from candidate
        if row.provenance.sampling.get("finish") != "stop":
            raise Unusable("unfinished_answer", row.answer[-200:])
        if sum(message.role == "user" for message in row.messages) != 1:
            raise Unusable("several_turns", row.question)
        by = work.cast[self.confirm] if self.confirm else work.author
        completion: Completion = yield by.ask(self.again(row), 1, TOKENS)
        reference = bare(whole(completion, "reference").strip()).rstrip(".").strip()
        asked = set(words(row.question))
        if not reference or sum(word not in asked for word in words(reference)) > self.reference_words:
            raise Unusable("long_reference", f"{row.question} -> {reference}")
        if not agree(reference, row.answer, row.question):
            raise Unusable("not_confirmed", f"{row.question} -> {row.answer} | {reference}")
        return item(row, reference, by)

    def again(self, row: Row) -> list[Message]:
        """The conversation that asks for the answer in few words, with the passage in sight where there is one."""
        passage = row.evidence.get("passage", "")
        shown = "" if passage in row.question else passage
        place = f"{NAME}.template" if self.template is not None else f"prompt file {NAME}/short"
        said = templates.turns(self.text, place, passage=shown, question=row.question)
        return [Message.model_validate({"role": role, "content": content}) for role, content in said]


class Spec(Frozen):
    """All that decides the items."""

    teachers: dict[str, Teacher]
    benchmark: Benchmark
    seed: int
    templates: str
    """`benchmark.digest`."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write `rows.jsonl`, exactly the items asked for, and `failures.jsonl` (the other candidates with their reason).

    Raises:
        YieldError: fewer than asked for were confirmed.
    """
    with staff(spec.teachers, spec.benchmark.sampling, spec.seed, context) as models:
        rounds = rounds_of(spec, inputs["split"], models, replace(context, accept=Distinct()))
        rounds.run()
    if not rounds.filled:
        raise shortfall(rounds, spec.benchmark.budget)
    noted = notes(rounds)
    put_aside(rounds)
    if context.ranks.main:
        write_rows(out / "rows.jsonl", (asked.outcome.row for asked in rounds.asked if asked.outcome.row is not None))
        write_failures(out / "failures.jsonl", rounds.asked)
    return {
        **counts(rounds.asked),
        **rounds.driver.spent.bill(),
        "notes": noted,
    }


def rounds_of(spec: Spec, split: Path, models: Staff, context: Context) -> Rounds:
    """The asking, not begun: candidates of the held-out side, none of which may ask what is trained on."""
    section = spec.benchmark
    rows = side_rows(split, "heldout", section.methods)
    trained = (row for path in sorted((split / "train").glob("*.jsonl")) for row in read_rows(path))
    streams = streams_of(section, rows, models, section.confirmed)
    driver = driver_of(section.budget, models, context)
    return Rounds(
        streams, driver, context, section.candidates, section.min_yield, roots_of(trained), NAME, "training_prompt"
    )


def put_aside(rounds: Rounds) -> None:
    """Items that came again, and those beyond a method's quota, become candidates without a row."""
    kept = dict.fromkeys(map(id, rounds.streams), 0)
    for asked in rounds.asked:
        row, judged = asked.outcome.row, asked.judged
        if row is None or judged is None:
            continue
        kept[id(asked.stream)] += judged.verdict.keep
        if not judged.verdict.keep:
            asked.outcome = Outcome(None, judged.verdict.reason, row.question)
        elif kept[id(asked.stream)] > asked.stream.quota:
            asked.outcome = Outcome(None, "surplus", row.question)


class Distinct:
    """The `Accept` of a benchmark: each question once, the first of those alike."""

    def alone(self, rows: Sequence[Row]) -> list[Judged]:
        return [Judged(row, KEEP, "") for row in rows]

    def together(self, rows: Sequence[Row]) -> list[Judged]:
        """A question that was there before, or nearly so from the same prompt or document, is dropped."""
        seen: dict[str, str] = {}
        by_root: dict[str, list[str]] = {}
        judged = []
        for row in rows:
            asked, others = normalise(row.question), by_root.setdefault(row.provenance.root, [])
            near = asked in seen or any(overlap(row.question, other) >= COPY for other in others)
            verdict = Verdict(False, "same_question", evidence=row.question) if near else KEEP
            judged.append(Judged(row, verdict, NAME if near else ""))
            if not near:
                seen[asked] = row.id
                others.append(row.question)
        return judged


def item(row: Row, reference: str, by: Author) -> Row:
    """The row as an item, with what it owes to who confirmed it."""
    made = row.provenance
    provenance = made.model_copy(
        update={
            "terms": tuple(dict.fromkeys((*made.terms, *(by.terms or (UNKNOWN,))))),
            "depth": max(made.depth, 1 + by.depth),
            "sampling": {**made.sampling, "confirmed_by": by.origin},
        }
    )
    evidence = {**row.evidence, "reference": reference}
    return Row(kind="benchmark", messages=row.messages, evidence=evidence, provenance=provenance, scores=row.scores)
