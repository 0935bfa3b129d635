"""facts -> Markdown: the card beside the data and the card beside the adapter, with the front matter a hub reads.

This module knows nothing of recipes or training; it is told. A model's text is shown in fences it cannot leave.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from distill.rows import Row

UNKNOWN = "unknown"
"""A term nobody could name. It is shown as `review`: what is not known is never allowed."""
ASKED = "asked.json"
"""File of the mix with what the teacher was asked about that is among no rows itself."""
SHOWN = 3
"""Rows shown on the data card."""
LICENSES = frozenset(
    {
        "apache-2.0",
        "mit",
        "bsd-2-clause",
        "bsd-3-clause",
        "unlicense",
        "isc",
        "mpl-2.0",
        "gpl-2.0",
        "gpl-3.0",
        "agpl-3.0",
    }
    | {"cc0-1.0", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0", "odc-by", "odbl", "cdla-permissive-2.0"}
    | {"cc-by-nc-4.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-4.0", "openrail", "gemma"}
    | {"llama2", "llama3", "llama3.1", "llama3.2", "llama3.3", "llama4"}
)
"""Ids of the hub's list that may be given as the whole licence when nothing else applies; any other is `other`."""


@dataclass(frozen=True)
class Ingredient:
    """One model or data set that rows came from."""

    source: str
    """`teacher`, `real`, `base` or `adapter`."""
    origin: str
    """`<name>@<revision>`."""
    terms: tuple[str, ...]
    rows: int = 0


@dataclass(frozen=True)
class DataCard:
    train: Sequence[Row]
    heldout: Sequence[Row]
    ledger: Mapping[str, Any]
    """The filter's `ledger.json`."""
    preference: Sequence[Row] = ()
    benchmark: Sequence[Row] = ()
    validation: Sequence[Row] = ()
    besides: Sequence[Ingredient] = ()
    """What the teacher was asked about, and what is held out, that is among no training rows itself."""
    terms: str = ""
    """The section that says what may be done with it (see `card_terms`)."""
    front: Mapping[str, Any] = field(default_factory=dict)
    """More of the front matter: `license`, `license_name` and `license_link`, by the registry."""

    @property
    def files(self) -> dict[str, Sequence[Row]]:
        """What lies beside the card, by the names of the files; train and heldout even where they are empty."""
        files = {"train.jsonl": self.train, "heldout.jsonl": self.heldout}
        more = {
            "validation.jsonl": self.validation,
            "preference.jsonl": self.preference,
            "benchmark.jsonl": self.benchmark,
        }
        return files | {name: rows for name, rows in more.items() if rows}


@dataclass(frozen=True)
class ModelCard:
    name: str
    """Title, such as the run's name."""
    base: Ingredient
    data: Sequence[Ingredient]
    """What the training rows came from: `ingredients(rows)`."""
    drop_layers: Sequence[int]
    """Decoder layers taken out of the base, counted from 0."""
    lora: Mapping[str, Any]
    """r, alpha, dropout, target_modules, …; empty where an adapter brought its own, and where all weights were trained."""
    training: Mapping[str, Any]
    """Any setting worth reading, shown in its order: objective, steps, learning_rate, …"""
    template: str
    """Hash of the chat template."""
    depth: int
    """Generations of models between people's text and this student."""
    loss: str = "Loss is taken on the assistant's tokens and the stop token only"
    """What was learnt, without a full stop."""
    texts: int = 0
    """Rows that were plain texts, learnt whole."""
    adapter: Ingredient | None = None
    """What training went on with."""
    quantization: str | None = None
    """Of the frozen weights."""
    whole: bool = False
    """All weights were trained, and there is no adapter."""
    terms: str = ""
    """The section that says what may be done with it (see `card_terms`)."""
    front: Mapping[str, Any] = field(default_factory=dict)
    """More of the front matter: `license`, `license_name` and `license_link`, by the registry."""


def ingredients(rows: Iterable[Row]) -> tuple[Ingredient, ...]:
    """What rows came from, most rows first, each with all the terms its rows carry."""
    counts: Counter[tuple[str, str]] = Counter()
    terms: dict[tuple[str, str], dict[str, None]] = {}
    for row in rows:
        key = (row.provenance.source, row.provenance.origin)
        counts[key] += 1
        terms.setdefault(key, {}).update(dict.fromkeys(row.provenance.terms or (UNKNOWN,)))
    ordered = sorted(counts, key=lambda key: (-counts[key], key))
    return tuple(
        Ingredient(source, origin, tuple(terms[source, origin]), counts[source, origin]) for source, origin in ordered
    )


def data_card(card: DataCard) -> str:
    """The README of a training set: what is in it, whence, on what terms, what was dropped, three rows of it."""
    made = [*card.train, *card.preference, *card.benchmark]
    parts = (*ingredients(made), *card.besides)
    front = {
        "license": license_of(parts),
        **card.front,
        "tags": ["synthetic", "distillation"] if any(part.source == "teacher" for part in parts) else ["distillation"],
        "task_categories": ["text-generation"],
        "size_categories": [size_category(len(made))],
        "configs": configs(card),
    }
    hubs = [hub_id(part.origin) for part in parts if part.source == "real"]
    if named := sorted({hub for hub in hubs if hub}):
        front["source_datasets"] = named
    shown = card.train or made
    places = sorted({0, len(shown) // 2, len(shown) - 1} & set(range(len(shown))))[:SHOWN]
    return render(
        "data_card.md.j2",
        front=front,
        parts=parts,
        train=card.train,
        heldout=card.heldout,
        files={name: Counter(row.kind for row in rows) for name, rows in card.files.items() if rows},
        methods=Counter((row.provenance.source, row.provenance.method) for row in made),
        depths=Counter(row.provenance.depth for row in made),
        ledger=card.ledger,
        terms=card.terms,
        shown=[(place, shown[place]) for place in places],
    )


def model_card(card: ModelCard) -> str:
    """The README of a student: what it is made from, how it was trained, on what terms, how to load it."""
    parts = (card.base, *([card.adapter] if card.adapter else []), *card.data)
    base = hub_id(card.base.origin)
    front: dict[str, Any] = {
        "license": license_of(parts),
        **card.front,
        "library_name": "transformers" if card.whole else "peft",
        "pipeline_tag": "text-generation",
        "tags": [
            *(["distillation", "synthetic"] if any(p.source == "teacher" for p in parts) else []),
            *([] if card.whole else ["lora"]),
        ],
    }
    if base:
        front |= {"base_model": base, "base_model_relation": "finetune" if card.whole else "adapter"}
    if named := sorted({hub for part in card.data if part.source == "real" and (hub := hub_id(part.origin))}):
        front["datasets"] = named
    return render(
        "model_card.md.j2", front=front, card=card, parts=parts, whole_base=base if not card.drop_layers else None
    )


def exported(card: str, record: Mapping[str, Any]) -> str:
    """The card of a student that was exported: the same facts and terms, another way to load it.

    Args:
        record: what `export.json` says.
    """
    _, head, body = card.split("---\n", 2)
    merged, base = record["format"] == "merged", record["base"]
    front = yaml.safe_load(head) | {"library_name": "transformers" if merged else "peft"}
    if "base_model" in front:
        front["base_model_relation"] = "finetune" if merged else "adapter"
    facts = body.partition("## Load it")[0]
    load = render("exported.md.j2", front=front, merged=merged, base=base, record=record, apart=record["difference"])
    head, body = load.split("---\n\n", 1)
    return f"{head}---\n{facts}{body}"


def license_of(parts: Sequence[Ingredient]) -> str:
    """The hub's licence id where one known licence covers everything; else `other` (several apply) or `unknown`."""
    return license_id({term for part in parts for term in part.terms or (UNKNOWN,)})


def license_id(terms: Collection[str]) -> str:
    """The same of the ids of all that apply."""
    if UNKNOWN in terms or not terms:
        return UNKNOWN
    only = next(iter(terms)).lower()
    return only if len(terms) == 1 and only in LICENSES else "other"


def shown(origin: str) -> str:
    """An origin as others may read it: of a place on this machine its last part alone."""
    return "+".join(
        re.sub(r"^(run:|rows:)?(?:/|~)(?:.*/)?(?=[^/])", lambda kind: kind[1] or "", part) for part in origin.split("+")
    )


def hub_id(origin: str) -> str | None:
    """`org/name` of an origin that is a hub id; None for packages, files and runs."""
    name = origin.rpartition("@")[0] or origin
    return name if re.fullmatch(r"[A-Za-z0-9][\w-]*/[\w.-]+", name) else None


def size_category(rows: int) -> str:
    """The hub's size bucket of so many rows."""
    bounds = (
        (1_000, "n<1K"),
        (10_000, "1K<n<10K"),
        (100_000, "10K<n<100K"),
        (1_000_000, "100K<n<1M"),
        (10_000_000, "1M<n<10M"),
    )
    return next((name for bound, name in bounds if rows < bound), "n>10M")


def configs(card: DataCard) -> list[dict[str, Any]]:
    """What a data set loader should read: rows of one shape under one name, by split."""
    ordinary = [
        ("train", "train.jsonl", card.train),
        ("validation", "validation.jsonl", card.validation),
        ("heldout", "heldout.jsonl", card.heldout),
    ]
    named = {
        "default": ordinary,
        "preference": [("train", "preference.jsonl", card.preference)],
        "benchmark": [("test", "benchmark.jsonl", card.benchmark)],
    }
    return [
        {"config_name": name, "data_files": found}
        for name, files in named.items()
        if (found := [{"split": split, "path": path} for split, path, rows in files if rows])
    ]


def escape(text: object) -> str:
    """Text on one line in which Markdown and HTML mean nothing: safe inside a table."""
    line = re.sub(r"\s+", " ", str(text)).strip()
    line = "".join(character for character in line if character.isprintable())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_{}\[\]()#+!|~$])", r"\\\1", line)


def fence(text: str) -> str:
    """Text in a code fence longer than any it contains, control characters made visible."""
    clean = "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)
    marks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", clean)), default=0))
    return f"{marks}text\n{clean}\n{marks}"


def terms_shown(terms: Sequence[str]) -> str:
    """Terms for the eye: what is not known reads `review`."""
    return ", ".join("review" if term == UNKNOWN else escape(term) for term in terms or (UNKNOWN,))


def render(template: str, **facts: Any) -> str:
    """A card from its template, with a YAML front matter that cannot be broken by a name."""
    front = yaml.safe_dump(facts.pop("front"), sort_keys=False, allow_unicode=True)
    return f"---\n{front}---\n\n{filled(template, **facts)}"


def filled(template: str, **facts: Any) -> str:
    """A template with its facts."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"escape": escape, "fence": fence, "terms": terms_shown, "shown": shown}
    text = Path(__file__).with_name("templates").joinpath(template).read_text(encoding="utf-8")
    return environment.from_string(text).render(**facts)
