"""what a student or its rows were made from -> the licence files that lie beside them: an overview, and the texts.

    LICENSE.md                      every licence and service, of what, what it asks, where it stands
    licences/<id>.txt               the text of a common licence, with its holders where they are known
    licences/<origin>/<FILE>        licence and notice files as they lie with a model or data set

A licence whose text is not at hand is named with its address: what it asks to be shipped has to be taken from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from distill.cards import shown
from distill.rows import digest
from distill.sources.beside import Beside, beside
from distill.terms.applying import applying
from distill.terms.entry import Entry, Form
from distill.terms.input import Input
from distill.terms.registry import Registry
from distill.terms.verdict import judge, said

OVERVIEW, FOLDER = "LICENSE.md", "licences"
HOLDERS = "[holders]"


@dataclass(frozen=True)
class Part:
    """What went in, with what lies with it."""

    input: Input
    found: Beside

    @property
    def slug(self) -> str:
        name = shown(self.input.name)
        return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-.") or "unnamed"


def parts(went_in: Sequence[Input], places: dict[str, Path] | None = None) -> list[Part]:
    """With the files beside each, once an origin.

    Args:
        places: where an origin lies, where that is known.
    """
    return [Part(one, beside(one.origin, (places or {}).get(one.origin))) for one in went_in]


def shipped(went_in: Sequence[Part], forms: Sequence[Form], registry: Registry) -> dict[str, str]:
    """Files by their names.

    Args:
        forms: what is given away.
    """
    asking = _asking([part.input for part in went_in], forms, registry)
    written, folders = dict[str, str](), _folders(went_in)
    for part in went_in:
        if any(one.origin == part.input.origin for ones in asking.values() for one in ones):
            place = folders[part.input.origin]
            written |= {f"{place}/{name}": text for name, text in part.found.files.items()}
    for entry, ones in asking.items():
        text = _text(entry)
        origins = {one.origin for one in ones}
        of = [part for part in went_in if part.input.origin in origins]
        if text and not all(part.found.licensed for part in of):
            holders = dict.fromkeys(holder for part in of for holder in part.found.holders)
            written[f"{FOLDER}/{entry}.txt"] = text.replace(HOLDERS, ", ".join(holders) or _authors(of))
    return {OVERVIEW: _overview(went_in, written, registry), **written}


def _folders(went_in: Sequence[Part]) -> dict[str, str]:
    """Folder of what lies with each origin, `a/b-c` and `a-b/c` apart."""
    whose: dict[str, set[str]] = {}
    for part in went_in:
        whose.setdefault(part.slug.lower(), set()).add(part.input.origin)
    return {
        one.input.origin: f"{FOLDER}/{one.slug}"
        + (f"-{digest(one.input.origin)[:8]}" if len(whose[one.slug.lower()]) > 1 else "")
        for one in went_in
    }


def _authors(of: Sequence[Part]) -> str:
    return f"the authors of {', '.join(dict.fromkeys(shown(part.input.name) for part in of))}"


def _asking(went_in: Sequence[Input], forms: Sequence[Form], registry: Registry) -> dict[str, list[Input]]:
    """Ids of entries that ask for a copy of the licence, and of what."""
    asking: dict[str, list[Input]] = {}
    for form, verdict in judge(went_in, "redistribute", registry).items():
        for judged in verdict.inputs if form in forms else ():
            for entry in (entry for duty, entry in judged.duties if duty.kind == "licence_copy"):
                of = asking.setdefault(entry, [])
                if judged.input not in of:
                    of.append(judged.input)
    return asking


@cache
def _text(entry: str) -> str:
    path = files("distill.terms") / "texts" / f"{entry}.txt"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _overview(went_in: Sequence[Part], written: dict[str, str], registry: Registry) -> str:
    lines = [
        "# Licences and terms of what this was made from",
        "",
        "Read from declared licence ids and names, by a registry of dated facts. No legal advice.",
        *_of_each(went_in, written, registry),
    ]
    return "\n".join(lines) + "\n"


def _of_each(went_in: Sequence[Part], written: dict[str, str], registry: Registry) -> Iterator[str]:
    folders = _folders(went_in)
    for part in went_in:
        entries, doubts = applying(part.input, registry)
        yield from ("", f"## {part.input.role}: `{shown(part.input.origin)}`", "")
        yield from (f"- {_entry(entry, written)}" for entry in entries)
        yield from (f"- to be reviewed: {doubt.why}" for doubt in doubts)
        copies = [name for name in written if name.startswith(f"{folders[part.input.origin]}/")]
        yield from (f"- as it lies with it: [{name}]({name})" for name in copies)


def _entry(entry: Entry, written: dict[str, str]) -> str:
    name = f"{FOLDER}/{entry.id}.txt"
    text = f"; its text: [{name}]({name})" if name in written else ""
    asks = "; ".join(dict.fromkeys(said(duty, "") for duty in entry.duties))
    said_there = "; ".join(
        [*([f'"{entry.quotation}"'] if entry.quotation else []), *([entry.note] if entry.note else [])]
    )
    facts = f"; {said_there}" if said_there else ""
    asked = f"; asks: {asks}" if asks else ""
    return f"{entry.name} (`{entry.id}`), <{entry.source.address}>, {aged(entry)}{asked}{facts}{text}"


def aged(entry: Entry) -> str:
    """The text's own date, when it was looked at, and how sure what is said of it is."""
    dated = [f"of {entry.dated}"] if entry.dated else []
    looked = f"looked at {entry.checked}" if entry.checked else "nobody knows when it was looked at"
    return ", ".join([*dated, looked, *([entry.confidence] if entry.confidence != "read" else [])])


def write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
