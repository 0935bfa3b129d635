"""a training set as it is written -> croissant.json: its files, its records and how they came about, in JSON-LD.

Croissant 1.0 with the fields of its responsible-AI extension; facts of the rows and the filter's ledger alone. Where a fact is
not known the field is left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.cards import UNKNOWN, DataCard, ingredients, shown
from distill.rows import Row
from distill.sources.content import hashed
from distill.terms.registry import Registry

FILE = "croissant.json"
TEXT, INTEGER = "sc:Text", "sc:Integer"
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileProperty": "cr:fileProperty",
    "fileObject": "cr:fileObject",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
COLUMNS = (("id", "Hash of the content, the same on every machine."), ("kind", "chat, text, preference or benchmark."))
INSIDE: dict[str, tuple[str, bool, tuple[tuple[str, str, str, bool], ...]]] = {
    "messages": (
        "The conversation, the answer last.",
        True,
        (("role", TEXT, "system, user, assistant or tool.", False), ("content", TEXT, "What is said.", False)),
    ),
    "provenance": (
        "Where the row came from.",
        False,
        (
            ("source", TEXT, "Whether a teacher model wrote the answer, or it is real data.", False),
            ("origin", TEXT, "Model or data set, with its revision.", False),
            ("method", TEXT, "How it was made.", False),
            ("root", TEXT, "Hash of the prompt or document that it descends from.", False),
            ("parents", TEXT, "Ids of the rows that it was made from.", True),
            ("depth", INTEGER, "Generations of models between people's text and the row; none is 0.", False),
            ("terms", TEXT, "Ids of all licences and terms that apply.", True),
        ),
    ),
}
"""Columns that hold others: what it is, whether it is a list, and name, type, meaning and whether each is a list."""


def croissant(card: DataCard, hashes: Mapping[str, tuple[int, str]], registry: Registry, name: str) -> dict[str, Any]:
    """The contents of croissant.json.

    Args:
        hashes: bytes and sha256 of each file of the card.
        name: of the data set.
    """
    files = [file for file, rows in card.files.items() if rows]
    made = [row for file in files for row in card.files[file]]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": ["http://mlcommons.org/croissant/1.0", "http://mlcommons.org/croissant/RAI/1.0"],
        "name": name,
        "version": "1.0.0",
        "description": f"{len(card.train)} rows to train a student model on, by people and by a teacher model; made by distill.",
        "license": _licences(made, registry),
        "keywords": [
            "distillation",
            *(["synthetic"] if any(row.provenance.source == "teacher" for row in made) else []),
        ],
        "distribution": [
            {
                "@type": "cr:FileObject",
                "@id": file,
                "name": file,
                "contentUrl": file,
                "contentSize": f"{hashes[file][0]} B",
                "encodingFormat": "application/jsonlines",
                "sha256": hashes[file][1],
            }
            for file in files
        ],
        "recordSet": [_records(file) for file in files],
        **dict(_responsible(card, made)),
    }


def _licences(rows: Sequence[Row], registry: Registry) -> list[str]:
    """Addresses of all that apply, the id of one that is not known."""
    terms = dict.fromkeys(term for row in rows for term in row.provenance.terms or (UNKNOWN,))
    found = ((term, registry.of(term)) for term in terms)
    return [name for term, entries in found for name in [entry.source.address for entry in entries] or [term]]


def _records(file: str) -> dict[str, Any]:
    name = file.partition(".")[0]
    plain = [_field(f"{name}/{column}", TEXT, text, file, column) for column, text in COLUMNS]
    nested = [
        {
            "@type": "cr:Field",
            "@id": f"{name}/{column}",
            "name": f"{name}/{column}",
            "description": text,
            **({"repeated": True} if several else {}),
            "subField": [
                _field(f"{name}/{column}/{part}", kind, said, file, column, part, listed)
                for part, kind, said, listed in parts
            ],
        }
        for column, (text, several, parts) in INSIDE.items()
    ]
    key = {"@id": f"{name}/id"}
    return {"@type": "cr:RecordSet", "@id": name, "name": name, "key": key, "field": [*plain, *nested]}


def _field(
    name: str, kind: str, text: str, file: str, column: str, part: str | None = None, listed: bool = False
) -> dict[str, Any]:
    source: dict[str, Any] = {"fileObject": {"@id": file}, "extract": {"column": column}}
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": text,
        "dataType": kind,
        **({"repeated": True} if listed else {}),
        "source": source | ({"transform": {"jsonPath": part}} if part else {}),
    }


def _responsible(card: DataCard, rows: Sequence[Row]) -> Iterator[tuple[str, Any]]:
    """How the rows came about, what was done to them, and what they are not good for."""
    parts = ingredients(rows)
    methods = Counter(
        (row.provenance.origin, row.provenance.method) for row in rows if row.provenance.source == "teacher"
    )
    written = [f"{count} by {shown(origin)}, method {method}" for (origin, method), count in methods.most_common()]
    people = [f"{part.rows} from {shown(part.origin)}" for part in parts if part.source == "real"]
    said = [f"Synthetic, written by models: {'; '.join(written)}."] if written else []
    said += [f"Made by people: {'; '.join(people)}."] if people else []
    said.append(f"Every row names what it was made from; {_depths(rows)}.")
    yield "rai:dataCollection", " ".join(said)
    yield "rai:dataCollectionType", ["Others" if written else "Secondary Data analysis"]
    yield "rai:dataCollectionMissingData", _missing(card.ledger)
    yield "rai:dataPreprocessingProtocol", list(_dropped(card.ledger))
    yield "rai:machineAnnotationTools", ["distill"]
    yield "rai:dataUseCases", ["Fine-tuning a student model on a teacher's answers, and measuring it on held-out ones."]
    yield (
        "rai:dataLimitations",
        [
            "What a model wrote may be false, and has what its training data has; nobody has read all of it.",
            *(note for note in card.ledger.get("notes", ()) if note.startswith("verbatim")),
            *(
                ["heldout.jsonl and benchmark.jsonl are for measuring, not for training."]
                if card.heldout or card.benchmark
                else []
            ),
        ],
    )
    yield "rai:personalSensitiveInformation", [_personal(card.ledger)]


def _depths(rows: Sequence[Row]) -> str:
    counts = sorted(Counter(row.provenance.depth for row in rows).items())
    return "generations of models between people's text and a row: " + ", ".join(
        f"{depth} for {n}" for depth, n in counts
    )


def _missing(ledger: Mapping[str, Any]) -> str:
    books = ledger["teacher"]
    return f"Of {books['requested']} rows asked of the teacher {books['failed']} failed and {books['missing']} are missing."


def _dropped(ledger: Mapping[str, Any]) -> Iterator[str]:
    for source in ("teacher", "real"):
        for reason, count in ledger.get(source, {}).get("dropped", {}).items():
            yield f"{count} {source} rows dropped: {reason}"


def _personal(ledger: Mapping[str, Any]) -> str:
    """What the filter for personal data did, if there was one."""
    found = {
        reason: count
        for books in (ledger.get("teacher", {}).get("dropped", {}), *ledger.get("changed", {}).values())
        for reason, count in books.items()
        if reason.startswith("privacy.")
    }
    if not found:
        return "No filter for personal data found any, or none was in use."
    return "Found by a filter and dropped or redacted: " + ", ".join(
        f"{reason} {count}" for reason, count in found.items()
    )


def write(path: Path, contents: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def seal(folder: Path) -> None:
    """Write size and hash of each file into croissant.json where there is one, as they are now."""
    path = folder / FILE
    if not path.is_file():
        return
    contents = json.loads(path.read_text(encoding="utf-8"))
    for one in contents["distribution"]:
        size, one["sha256"] = hashed(folder / one["contentUrl"])
        one["contentSize"] = f"{size} B"
    write(path, contents)
