"""candidates -> kept.jsonl, dropped.jsonl, real.jsonl, ledger.json: every row judged, every drop with its reason.

    kept.jsonl      teacher rows that all filters passed: of each method the first of its quota, in request order
    real.jsonl      real training rows that the filters passed which judge real rows
    dropped.jsonl   {"filter", "reason", "score", "evidence", "also", "row"} a line, teacher rows first; `also` are other
                    filters that would have dropped it
    ledger.json     how many went where, and an example of each reason (see ledger.py)

Rows pass through in bounded batches; what stays in memory are counts and the filters' hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from distill.context import Context
from distill.engines.teacher import Teacher
from distill.errors import SourceError
from distill.filter.bindings import ANY, Bindings
from distill.filter.chain import AnyFilter, Chain
from distill.filter.contamination.contamination import Contamination
from distill.filter.ledger import QUOTA, Ledger, asked_for
from distill.filter.opener import Opener
from distill.filter.shortfall import too_few
from distill.filter.text.length import Length
from distill.filter.written import Written
from distill.protocols import Judged, Summary, Verdict
from distill.quotas import quotas
from distill.rows import Frozen, Row, digest, read_rows
from distill.suites import heldout

VERSION = 2


class Spec(Frozen):
    filter: tuple[AnyFilter, ...]
    rows: int
    """Kept rows asked for; accepted rows beyond them are dropped as `surplus`. 0 where nothing is generated."""
    shares: dict[str, float]
    """Share of `rows` by method name."""
    min_yield: float
    """Least share of the requested rows that the filters must accept, surplus counted in."""
    student: str | None
    """Reference of the student's model, whose tokenizer counts tokens; None where no filter counts."""
    teachers: dict[str, Teacher] = {}
    """Models that filters ask, by name."""
    oversample: float = 1.0
    """Accepted rows for each that is kept: what a choice among them needs."""
    prompts: str = ""
    """Hash of the prompt files that filters ask with: `prompts_digest(filter)`."""
    versions: dict[str, str] = {}
    """Versions of the packages that decide verdicts: `versions(filter)`."""


def prompts_digest(filters: Sequence[AnyFilter]) -> str:
    """Hash of what filters say to models: an edited prompt makes new verdicts. Empty where they say nothing."""
    texts = [part.texts for part in filters if part.texts]
    return digest(texts)[:16] if texts else ""


def versions(filters: Sequence[AnyFilter]) -> dict[str, str]:
    """Of the packages that decide verdicts: another version may say something else of the same row."""
    return {package: version for part in filters for package, version in sorted(part.versions.items())}


def heavy(spec: Spec) -> bool:
    """Whether a filter loads a model, so that the stage deserves a process of its own."""
    return any(part.COSTLY for part in spec.filter)


def acceptance(spec: Spec, inputs: Mapping[str, Path], context: Context) -> Chain:
    """The recipe's filters as generation asks them; `inputs` holds `split` and what is evaluated on."""
    return Chain(spec.filter, bindings(spec, inputs, context))


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Judge every candidate and every real training row.

    Raises:
        YieldError: too few were kept; `dropped.jsonl` and `ledger.json` are written all the same.
    """
    generated = inputs.get("generate")
    ledger = asked_for(generated) if generated else Ledger()
    bound = bindings(spec, inputs, context)
    # Every rank knows all verdicts, for all must know whether the run goes on; one writes.
    with (
        closing(bound.open),
        nullcontext(str(out)) if context.ranks.main else TemporaryDirectory() as folder,
    ):
        _judge_all(spec, inputs, Path(folder), bound, ledger, context)
        ledger.check(generated or inputs["split"])
        ledger.write(Path(folder))
        bill = bound.open.meter.total(context.ranks).bill()
    accepted = ledger.accepted / max(ledger.teacher.requested, 1)
    if ledger.teacher.kept < spec.rows or accepted < spec.min_yield:
        raise too_few(ledger, spec.rows, spec.min_yield, out)
    return {
        "counts": ledger.teacher.counts(),
        **bill,
        "real": ledger.real.counts(),
        "dropped": ledger.teacher.record()["dropped"],
        "changed": ledger.record()["changed"],
        "accepted_share": accepted,
        "notes": [*(part.note for part in spec.filter if part.note), *ledger.notes()],
    }


def bindings(spec: Spec, inputs: Mapping[str, Path], context: Context, of_file: bool = False) -> Bindings:
    """Only what the chain needs: reading a tokenizer or the evaluated rows for nothing costs seconds.

    Args:
        of_file: the rows are of a file, and may be of any method or of none: as many are kept as the recipe asks for in all.
    """
    tokenizer, evaluated = None, []
    if spec.student and any(isinstance(part, Length) and part.counts_tokens for part in spec.filter):
        from distill.engines.models import tokenizer_file

        tokenizer = tokenizer_file(context.resolved[spec.student], context.cache)
    if any(isinstance(part, Contamination) for part in spec.filter):
        evaluated = list(heldout.evaluated(inputs))
    rows = {ANY: spec.rows} if of_file else quotas(spec.rows, spec.shares)
    return Bindings(tokenizer, evaluated, rows, Opener(context, spec.teachers))


def _judge_all(
    spec: Spec, inputs: Mapping[str, Path], out: Path, bound: Bindings, ledger: Ledger, context: Context
) -> None:
    """Teacher rows, then real ones, each to its file and into the books."""
    with Written(out, ledger) as written:
        chain = Chain(spec.filter, bound)
        rows = read_rows(inputs["generate"] / "rows.jsonl") if "generate" in inputs else iter(())
        judged = _within_quota(chain.judge(rows), quotas(spec.rows, spec.shares))
        for result in context.progress(judged, ledger.teacher.requested, "filter", "row"):
            written.enter(result)
        for result in chain.judge(real_rows(inputs["split"]), real=True):
            ledger.real.requested += 1
            written.enter(result, real=True)
        ledger.said += chain.notes


def _within_quota(judged: Iterable[Judged], quota: Mapping[str, int]) -> Iterator[Judged]:
    """The same, but what is accepted beyond a method's quota is dropped as `surplus`."""
    accepted: Counter[str] = Counter()
    for result in judged:
        method = result.row.provenance.method
        if method not in quota:
            raise SourceError(
                f"a row of method {method!r}, which has no share of the rows; there are: {', '.join(quota)}",
                where=f"row {result.row.id}",
                hint="let generate make the rows again, or name the method in generate.methods",
            )
        accepted[method] += result.verdict.keep
        if result.verdict.keep and accepted[method] > quota[method]:
            verdict = Verdict(False, "surplus", accepted[method], f"{quota[method]} rows of {method} are asked for")
            yield Judged(result.row, verdict, QUOTA, changed=result.changed)
        else:
            yield result


def real_rows(split: Path) -> Iterator[Row]:
    """Real conversations and texts on the training side. Prompts without an answer teach nothing, and what a teacher
    wrote in another run (`run:`, `rows:`) serves as prompts and passages only: neither is judged.
    """
    for path in sorted((split / "train").glob("*.jsonl")):
        for row in read_rows(path):
            if row.kind in ("chat", "text") and row.provenance.source == "real":
                yield row
