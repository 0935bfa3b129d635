"""Report -> report.md, which a README can quote. Text from models stands in fenced blocks: none of it is markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from distill.compare import judged
from distill.compare.books import MethodBooks, OriginBooks, folded
from distill.compare.diversity import Diversity
from distill.compare.marked import fenced as _fenced
from distill.compare.marked import inline as _inline
from distill.compare.marked import table as _table
from distill.compare.report import Report, Sample
from distill.compare.words import (
    added,
    arrow,
    detectable,
    gap_for,
    guarded,
    hours,
    interval,
    kept,
    number,
    on_real_text,
    p_value,
    percent,
    recovered,
    seconds,
    seeds,
    share_of,
    signed,
    size,
    verdict,
)


def render(report: Report) -> str:
    """The whole file."""
    parts = [
        f"# {_inline(report.name)}",
        f"**{_inline(report.headline)}**",
        _added(report),
        _metrics(report),
        "Mean with its 95% interval over held-out prompts; ↓ lower, ↑ higher is better; the metric in bold decides. "
        "Gap recovered: 0% is the base, 100% the teacher.",
        _pairs(report),
        _against_base(report),
        _kept(report),
        _guarded(report),
        _more(report),
        *_judge(report),
        "## Where the rows went",
        _data(report),
        "## Terms",
        _terms(report),
        "## Variety of wording",
        _diversity(report),
        "## Items that nobody picked",
        report.samples.rule,
        *(_sample(sample) for sample in _one_each(report.samples.items)),
        "## Cost",
        _cost(report),
        "## Notes",
        "\n".join(f"- {_inline(note)}" for note in report.notes),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _metrics(report: Report) -> str:
    rows = []
    for name, metric in report.metrics.items():
        label = f"{_inline(name)} {arrow(metric)}"
        scores = [
            f"{number(score.mean, metric.unit)} {interval(score.ci95, metric.unit)}"
            if (score := metric.arms.get(arm))
            else "–"
            for arm in report.shown
        ]
        gap = recovered(metric.gap_recovered)
        rows.append([f"**{label}**" if metric.primary else label, str(metric.n), *scores, gap])
    return _table(["metric", "items", *report.shown, "gap recovered"], rows)


def _added(report: Report) -> str:
    unit = report.metrics[report.primary].unit
    return _inline(added(report.primary, report.added, unit)) if report.added else ""


def _pairs(report: Report) -> str:
    metric = report.metrics[report.primary]
    rows = [
        [
            f"{pair.a} − {pair.b}",
            f"{signed(pair.difference, metric.unit)} {interval(pair.ci95, metric.unit)}",
            p_value(pair.p),
            detectable(pair, metric.unit),
            f"{pair.a} {verdict(pair)}",
        ]
        for pair in metric.paired
    ]
    return _table([_inline(report.primary), "difference", "p", "detectable", "verdict"], rows) if rows else ""


def _against_base(report: Report) -> str:
    """The student beside the base in every metric; the primary one is tested alone, the others by Holm."""
    if len(report.against_base) < 2:
        return ""
    rows = []
    for name, pair in report.against_base.items():
        metric = report.metrics[name]
        label = f"{_inline(name)} {arrow(metric)}"
        rows.append(
            [
                f"**{label}**" if metric.primary else label,
                f"{signed(pair.difference, metric.unit)} {interval(pair.ci95, metric.unit)}",
                p_value(pair.p),
                "–" if pair.p_holm is None else p_value(pair.p_holm),
                detectable(pair, metric.unit),
                verdict(pair),
            ]
        )
    said = (
        f"Over {seeds(report.seeds)}. The metric in bold was named before the run and is tested alone; the first metric of every "
        "other suite by Holm's p, adjusted for their number. Detectable is what so many items find in 80% of cases; what is "
        "smaller is not called better or worse."
    )
    return f"{_table(['student − base', 'difference', 'p', 'Holm', 'detectable', 'student'], rows)}\n\n{said}"


def _kept(report: Report) -> str:
    rows = [f"- {_inline(one.metric)}: {_inline(kept(one))}" for one in report.forgetting]
    return "\n".join(["## What the student should not lose", "", *rows]) if rows else ""


def _guarded(report: Report) -> str:
    rows = [
        f"- {_inline(verdict)}: {_inline(said)}" for verdict, said in (guarded(report.guard) if report.guard else ())
    ]
    return "\n".join(["## Against people's texts", "", *rows]) if rows else ""


def _more(report: Report) -> str:
    """Retention, calibration and the price of the gap, a line each."""
    parts = []
    if report.retained:
        rows = ", ".join(f"{_inline(name)} {recovered(one)}" for name, one in report.retained.items())
        parts.append(f"Retention, the student's mean as a share of the teacher's: {rows}.")
    for suite, found in report.calibration.items():
        arms = ", ".join(f"{arm} {number(one.error)} {interval(one.ci95)}" for arm, one in found.arms.items())
        parts.append(f"Calibration error in {_inline(suite)}, 15 bins of equal width: {_inline(arms)}.")
    if report.price and (rates := gap_for(report.price)):
        parts.append(
            f"The student took {hours(report.price)} from generation to the end of training: {', '.join(rates)}."
        )
    return "\n\n".join(parts)


def _judge(report: Report) -> list[str]:
    """What a judge said, where there is one."""
    if report.judge is None:
        return []
    tables = [f"{found.title}:\n\n{_table(found.head, found.rows)}" for found in judged.tables(report.judge)]
    remarks = "\n".join(f"- {_inline(text)}" for text in judged.remarks(report.judge))
    return ["## The judge", f"**{_inline(judged.headline(report.judge))}**", judged.METHOD, *tables, remarks]


def _data(report: Report) -> str:
    data = report.data
    dropped = sum(data.dropped.values())
    pairs = f"{data.preference_rows} pairs of answers " if data.preference_rows else ""
    flow = (
        f"{data.requested} requested = {data.kept} kept + {dropped} dropped + {data.failed} failed "
        f"+ {data.missing} missing. "
        f"The mix has {data.train_rows} training rows, {data.real} of them real ({percent(data.real_fraction)}), "
        f"{pairs}and {data.heldout_rows} held-out rows."
    )
    beside = [
        f"{title}: {', '.join(f'{_inline(name)} {rows:,}' for name, rows in counts.items())}."
        for title, counts in (
            ("Dropped by the first, and by the second had it been asked", data.overlap),
            ("Kept, and changed", data.changed),
        )
        if counts
    ]
    flow = "\n\n".join(part for part in (flow, methods(data.by_method), origins(data.by_origin), *beside) if part)
    rows = [[reason, str(count), "teacher"] for reason, count in data.dropped.items()]
    rows += [[reason, str(count), "real"] for reason, count in data.real_dropped.items()]
    return f"{flow}\n\n{_table(['dropped because', 'rows', 'of'], rows)}" if rows else flow


def methods(books: Mapping[str, MethodBooks]) -> str:
    """Candidates, yield and price of each method, of many cells folded; empty where there are none."""
    rows = [
        [
            name,
            f"{one.requested:,}",
            f"{one.kept:,}",
            percent(one.share),
            "–" if one.tokens_per_row is None else f"{one.tokens_per_row:,.0f}",
            f"{one.money:.4g}" if one.money else "–",
        ]
        for name, one in folded(books).items()
    ]
    head = ["method", "candidates", "kept", "yield", "tokens per kept row", "money"]
    return _table(head, rows) if rows else ""


def origins(books: Mapping[str, OriginBooks]) -> str:
    """What the filters kept of each teacher and data set; empty where it was not counted."""
    rows = [[name, one.source, f"{one.rows:,}", f"{one.kept:,}", percent(one.share)] for name, one in books.items()]
    return _table(["origin", "source", "judged", "kept", "yield"], rows) if rows else ""


def _terms(report: Report) -> str:
    terms = report.terms
    rows = [
        [item.role, item.origin, ", ".join(item.terms) or "unknown", item.verdict, "; ".join(item.why)]
        for item in terms.inputs
    ]
    conditions = "\n".join(f"- {_inline(condition)}" for condition in terms.conditions)
    forms = "".join(f", {form} {level}" for form, level in terms.forms.items())
    age = f" The oldest entry was looked at on {terms.checked}." if terms.checked else ""
    old = f" Nobody has looked at these for half a year: {_inline(', '.join(terms.old))}." if terms.old else ""
    verdict = f"**{terms.verdict}** for {_inline(terms.use)}{forms}. {terms.disclaimer}{age}{old}"
    return "\n\n".join([verdict, _table(["input", "origin", "terms", "verdict", "why"], rows), conditions])


def _diversity(report: Report) -> str:
    found = report.diversity
    if found.undefined:
        return "\n\n".join([f"Undefined: {found.undefined}.", *_beside_rows(found)])
    corpora = list(next(iter(found.measures.values())).values)
    rows = [
        [
            f"{name} {'↑' if one.better == 'higher' else '↓'}",
            *(f"{one.values[corpus]:.3f}{' (less varied)' if one.fell(corpus) else ''}" for corpus in corpora),
        ]
        for name, one in found.measures.items()
    ]
    head = f"Samples of {found.texts} texts, {found.words} words, of each corpus, of the same lengths."
    return "\n\n".join([head, _table(["", *corpora], rows), *_beside_rows(found)])


def _beside_rows(found: Diversity) -> Iterator[str]:
    """What is not measured on rows alone: named attributes, the rarest real texts, the gap to the training loss."""
    if found.attributes:
        corpora = list(dict.fromkeys(corpus for one in found.attributes.values() for corpus in one.told))
        rows = [
            [f"{name}{' (amplified)' if one.amplified else ''}", *(share_of(one, corpus) for corpus in corpora)]
            for name, one in found.attributes.items()
        ]
        yield _table(["texts that have", *corpora], rows)
    yield from (_inline(line) for line in on_real_text(found))


def _one_each(samples: Iterable[Sample]) -> list[Sample]:
    first: dict[str, Sample] = {}
    for sample in samples:
        first.setdefault(sample.label, sample)
    return list(first.values())


def _sample(sample: Sample) -> str:
    answers = [(arm, "(not generated)" if text is None else text) for arm, text in sample.answers.items()]
    blocks = [("question", sample.question), ("reference", sample.reference), *answers]
    head = f"### {sample.label} ({signed(sample.difference)})"
    return "\n\n".join([head, *(f"{name}:\n\n{_fenced(text)}" for name, text in blocks)])


def _cost(report: Report) -> str:
    stages = [*report.cost.stages.items(), ("all", report.cost)]
    rows = [[name, f"{cost.tokens:,}", seconds(cost.seconds), size(cost.peak_memory_bytes)] for name, cost in stages]
    environment = report.environment
    libraries = ", ".join(f"{name} {version}" for name, version in environment.libraries.items())
    where = f"{environment.processor}, {environment.cores} cores, Python {environment.python}; {libraries}."
    money = f"\n\nTeachers charged {report.cost.money:.4g} in money." if report.cost.money else ""
    return f"{_table(['stage', 'tokens', 'time', 'peak memory'], rows)}{money}\n\n{_inline(where)}"
