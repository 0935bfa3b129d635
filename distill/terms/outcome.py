"""what went in -> the verdict as a report, a terminal and other programs read it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from distill.rows import Frozen
from distill.terms.applying import applying
from distill.terms.entry import Entry, Form
from distill.terms.input import ORDER, Finding, Input, Level, Use
from distill.terms.registry import Registry
from distill.terms.verdict import Judged, Verdict, judge, strictest, unused

FRESH = timedelta(days=180)
"""After which an entry should be looked at again."""


class TermsInput(Frozen):
    role: str
    origin: str
    terms: tuple[str, ...]
    """Licence ids that it carries."""
    verdict: Level
    why: tuple[str, ...] = ()
    """What makes it so; what was accepted, with the reason that was given."""
    learnt: bool = True
    """False of what stands in the rows alone: the student was only measured with it."""


class TermsEntry(Frozen):
    """What a verdict was read from."""

    id: str
    name: str
    source: str
    """Address of the text."""
    confidence: str
    dated: str | None = None
    """Of the text itself."""
    checked: str | None = None
    """When it was last looked at."""
    quotation: str | None = None
    note: str | None = None
    old: bool = False
    """Nobody has looked at it for half a year."""


class Terms(Frozen):
    verdict: Level
    """The strictest of all that the student learnt from; unknown is `review`."""
    use: str
    conditions: tuple[str, ...]
    inputs: tuple[TermsInput, ...]
    disclaimer: str = "Read from declared licence ids and names, by a registry of dated facts. No legal advice."
    forms: dict[str, Level] = {}
    """Of the adapter alone, of the two merged, and of the training rows."""
    checked: str | None = None
    """Day on which the oldest of the entries was last looked at."""
    old: tuple[str, ...] = ()
    """Entries that nobody has looked at for half a year."""
    entries: tuple[TermsEntry, ...] = ()
    """All that apply."""
    unused: tuple[str, ...] = ()
    """What `terms.accept` names and nothing here asks about."""


def described(went: Sequence[Input], use: Use, name: str, accepted: Mapping[str, str], registry: Registry) -> Terms:
    """The verdict as the report has it."""
    verdicts = judge(went, use, registry, name, accepted)
    learnt = [one for verdict in verdicts.values() for one in verdict.inputs if one.input.learnt]
    entries = applied(went, registry)
    return Terms(
        verdict=strictest(one.level for one in learnt) if learnt else "review",
        use=use,
        conditions=tuple(_conditions(verdicts)),
        inputs=tuple(_each_once(_input(one, [verdict.inputs for verdict in verdicts.values()]) for one in went)),
        forms={form: verdict.level for form, verdict in verdicts.items()},
        checked=min((entry.checked.isoformat() for entry in entries if entry.checked), default=None),
        old=tuple(entry.id for entry in entries if old(entry)),
        entries=tuple(_told(entry) for entry in entries),
        unused=tuple(unused(went, verdicts.values(), accepted, registry)),
    )


def applied(went: Iterable[Input], registry: Registry) -> list[Entry]:
    """Every entry that applies to any of them, once."""
    return list({entry.id: entry for one in went for entry in applying(one, registry)[0]}.values())


def old(entry: Entry) -> bool:
    """Nobody has looked at it for half a year, or nobody knows who did."""
    return not entry.checked or datetime.now(UTC).date() - entry.checked > FRESH


def _told(entry: Entry) -> TermsEntry:
    return TermsEntry(
        id=entry.id,
        name=entry.name,
        source=entry.source.address,
        confidence=entry.confidence,
        dated=entry.dated.isoformat() if entry.dated else None,
        checked=entry.checked.isoformat() if entry.checked else None,
        quotation=entry.quotation,
        note=entry.note,
        old=old(entry),
    )


def together(verdicts: Sequence[Terms]) -> Terms:
    """Several verdicts of one use as one: the strictest of each, and every condition."""
    first = verdicts[0]
    return first.model_copy(
        update={
            "verdict": strictest(one.verdict for one in verdicts),
            "conditions": tuple(dict.fromkeys(text for one in verdicts for text in one.conditions)),
            "inputs": tuple(_each_once(each for one in verdicts for each in one.inputs)),
            "forms": {form: strictest(one.forms[form] for one in verdicts) for form in first.forms},
            "checked": min((one.checked for one in verdicts if one.checked), default=None),
            "old": tuple(dict.fromkeys(entry for one in verdicts for entry in one.old)),
            "entries": tuple({entry.id: entry for one in verdicts for entry in one.entries}.values()),
        }
    )


def _each_once(inputs: Iterable[TermsInput]) -> Iterator[TermsInput]:
    """Each as it is judged most strictly."""
    found: dict[tuple[str, str, bool], TermsInput] = {}
    for one in inputs:
        key = (one.role, one.origin, one.learnt)
        if ORDER.index(one.verdict) > ORDER.index(found.setdefault(key, one).verdict):
            found[key] = one
    yield from found.values()


def _input(one: Input, judged: Iterable[Sequence[Judged]]) -> TermsInput:
    """What is made of an input by the form that is judged most strictly."""
    # What the student was only measured with, and is in no rows, is in no form.
    own = [each for form in judged for each in form if each.input == one] or [Judged(one, ())]
    hardest = max(own, key=lambda each: ORDER.index(each.level))
    why = [f"accepted: {each.accepted} ({each.why})" if each.accepted else each.why for each in _weighty(hardest)]
    return TermsInput(
        role=one.role,
        origin=one.origin,
        terms=one.declared,
        verdict=hardest.level,
        why=tuple(dict.fromkeys(why)),
        learnt=one.learnt,
    )


def _weighty(one: Judged) -> list[Finding]:
    """Those that decide, and those that were accepted; where all is well, all of them."""
    return [each for each in one.findings if each.level == one.level or each.accepted]


def to_do(verdicts: Mapping[Form, Verdict]) -> list[tuple[str, list[Form], list[str]]]:
    """Each duty once, with the forms that it is of and the entries that ask for it."""
    found: dict[str, tuple[list[Form], list[str]]] = {}
    for form, verdict in verdicts.items():
        for text, whose in verdict.conditions.items():
            forms, ids = found.setdefault(text, ([], []))
            forms.append(form)
            ids += [one for one in whose if one not in ids]
    return [(text, forms, ids) for text, (forms, ids) in found.items()]


def _conditions(verdicts: Mapping[Form, Verdict]) -> Iterator[str]:
    """As sentences, with the forms where it is not of all."""
    for text, forms, ids in to_do(verdicts):
        of = "" if len(forms) == len(verdicts) else f"{' and '.join(forms)}: "
        yield f"{of}{text} ({', '.join(ids)})"
