"""package metadata, model or data card -> licence ids, in lower case, as the hub and SPDX write them.

Says what was stated there, never what it allows. What is not stated or not understood is the empty tuple.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

CLASSIFIERS = {
    "Apache Software License": "apache-2.0",
    "MIT License": "mit",
    "MIT No Attribution License (MIT-0)": "mit-0",
    "BSD License": "bsd",  # the classifier does not say with how many clauses
    "ISC License (ISCL)": "isc",
    "Mozilla Public License 2.0 (MPL 2.0)": "mpl-2.0",
    "GNU General Public License v2 (GPLv2)": "gpl-2.0",
    "GNU General Public License v3 (GPLv3)": "gpl-3.0",
    "GNU Affero General Public License v3": "agpl-3.0",
    "GNU Lesser General Public License v3 (LGPLv3)": "lgpl-3.0",
    "The Unlicense (Unlicense)": "unlicense",
    "Python Software Foundation License": "psf-2.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "cc0-1.0",
}
SPELLINGS = {
    "apache 2.0": "apache-2.0",
    "apache 2": "apache-2.0",
    "apache license 2.0": "apache-2.0",
    "apache license, version 2.0": "apache-2.0",
    "apache license version 2.0": "apache-2.0",
    "apache software license": "apache-2.0",
    "mit license": "mit",
    "the mit license": "mit",
    "bsd 3-clause": "bsd-3-clause",
    "bsd 3-clause license": "bsd-3-clause",
    "3-clause bsd license": "bsd-3-clause",
    "new bsd": "bsd-3-clause",
    "modified bsd license": "bsd-3-clause",
    "bsd 2-clause": "bsd-2-clause",
    "bsd 2-clause license": "bsd-2-clause",
    "bsd license": "bsd",
}
UNKNOWN = {"", "unknown", "other", "none", "n/a", "license", "proprietary", "custom"}
"""Words in a licence field that name no licence."""


def package_terms(module: str) -> tuple[str, ...]:
    """Licences of the distributions that hold a top-level module."""
    try:
        found = [importlib.metadata.distribution(module)]
    except importlib.metadata.PackageNotFoundError:
        names = importlib.metadata.packages_distributions().get(module, [])
        found = [importlib.metadata.distribution(name) for name in names]
    return _unique(term for one in found for term in _metadata_terms(one.metadata))


def card_bases(folder: Path) -> tuple[str, ...]:
    """`base_model` in the front matter of a folder's README.md: what a fork, a finetune or a merge was made from."""
    stated = _card(folder).get("base_model")
    return tuple(str(one) for one in (stated if isinstance(stated, list) else [stated]) if one)


def card_datasets(folder: Path) -> tuple[str, ...]:
    """`datasets` in the front matter of a folder's README.md: what a model says that it was trained on."""
    stated = _card(folder).get("datasets")
    return _unique(str(one) for one in (stated if isinstance(stated, list) else [stated]) if one)


def card_terms(folder: Path) -> tuple[str, ...]:
    """`license` in the front matter of a folder's README.md, as the hub's cards have it."""
    card = _card(folder)
    stated = card.get("license")
    if stated == "other":
        stated = card.get("license_name")
    return _unique(_identifier(str(one)) for one in (stated if isinstance(stated, list) else [stated]) if one)


def _card(folder: Path) -> dict[str, Any]:
    """Front matter of a folder's README.md; empty where there is none."""
    try:
        text = (folder / "README.md").read_text(encoding="utf-8-sig")
        match = re.match(r"---\s*\n(.*?)\n---\s*(\n|$)", text, re.DOTALL)
        card = yaml.safe_load(match[1]) if match else None
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return card if isinstance(card, dict) else {}


def student_depth(folder: Path) -> int:
    """Generations of models between people's text and a trained student, as its student.json says; 0 of any other model."""
    try:
        return int(json.loads((folder / "student.json").read_text(encoding="utf-8"))["depth"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def student_terms(folder: Path) -> tuple[str, ...]:
    """All terms a trained student carries, as its student.json lists them."""
    try:
        return tuple(str(term) for term in json.loads((folder / "student.json").read_text(encoding="utf-8"))["terms"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()


def student_inputs(folder: Path) -> list[dict[str, Any]]:
    """All that a trained student was made from, as its student.json lists it: role, origin and terms of each."""
    try:
        found = json.loads((folder / "student.json").read_text(encoding="utf-8")).get("made_from", [])
        return [one for one in found if {"role", "origin", "terms"} <= set(one)]
    except (OSError, ValueError, AttributeError, TypeError):
        return []


def _metadata_terms(metadata: importlib.metadata.PackageMetadata) -> list[str]:
    """By the field that says it best: an SPDX expression, a short licence field, then the classifiers."""
    # Both licences of `A AND B` apply; `A OR B` is a choice that nobody has made yet and stays one term.
    expression = "".join(metadata.get_all("License-Expression") or []).strip()
    if expression and "(" not in expression and " OR " not in expression:
        return [_identifier(part) for part in expression.split(" AND ")]
    stated = _identifier(expression or "".join(metadata.get_all("License") or []))
    if stated:
        return [stated]
    names = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    return [CLASSIFIERS[name] for name in names if name in CLASSIFIERS]


def _identifier(text: str) -> str:
    """A licence id, or nothing where the field holds no name but a text, a sentence or a way not to say."""
    name = " ".join(text.split()).lower()
    name = SPELLINGS.get(name, name)
    is_name = re.fullmatch(r"[a-z0-9][a-z0-9.+-]{1,60}", name) or " or " in name
    return name if is_name and len(name) <= 80 and name not in UNKNOWN else ""


def _unique(terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(term for term in terms if term))
