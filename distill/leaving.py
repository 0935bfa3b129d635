"""a folder that is to leave this machine -> the same without what belongs to this machine alone; secrets are refused.

Places: a path that the recipe names becomes its last part everywhere; any other path of this machine in cards, reports
and settings becomes the part behind the folder that everybody knows. In rows both are done to the names of what a row
came from alone: what people and models wrote is left as it is, for it is what was learnt, and what a row's id is a hash of.
"""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir
from urllib.parse import unquote

from markupsafe import escape as of_template

from distill.cards import escape
from distill.errors import DistillError
from distill.filter.privacy.keys import issued
from distill.rows import to_json

BINARY = (".safetensors", ".arrow", ".model")
ROWS = ".jsonl"
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json")
"""Files of which every sign counts: no place is looked for in them."""
WRITTEN = (".md", ".json", ".jsonl", ".html", ".txt", ".jinja")
"""What may hold a name of this machine; a licence has no suffix, and none."""
NAMED = re.compile(
    r"key|token|secret|passw|pwd|passphrase|credential|auth(?!or(?!i))|(?:^|_)(?:pat|pass)(?:_|$)", re.IGNORECASE
)
LEAST = 8
"""Characters of a secret: a shorter value stands in too many texts."""
SIGNED = re.compile(r"://([^\s/:@]*:([^\s/@]+)@)")
"""Name and password in an address."""
DRAWN = ("helped", "args")
"""Of how a row was drawn: other models, and what their server was told."""
FORMS: tuple[Callable[[str], str], ...] = (
    str,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    html.escape,
    lambda text: html.escape(text, quote=False),
    lambda text: str(of_template(text)),
    escape,
)
"""How a text stands in words, JSON, HTML and Markdown."""
BEFORE = r"(?:file://|(?<![\w/.~-])|(?<=\\[nrt]))"
"""Nothing of a path or of an address; a new line in JSON ends with a letter."""
AFTER = r"(?:(?P<inside>/+(?=[\w.@+~\\-]))|(?![\w+-]|\.\w|\\[_+]))"
"""A path goes on, or ends."""


def clean(folder: Path, named: Mapping[str, str], places: tuple[Path, ...]) -> None:
    """Take places out of every file that is written in words.

    Args:
        named: paths as the recipe has them -> what stands for each.
        places: folders that are this machine's own, besides those of the user and the system.
    """
    cleaned = _cleaning(named, (*places, Path.home(), Path.cwd(), Path(gettempdir())))
    for path in files(folder):
        if path.suffix not in WRITTEN or path.name in VOCABULARY:
            continue
        half = path.with_name(f".{path.name}")
        with half.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            for _, text in _pieces(path):
                file.write(_row(text, cleaned) if path.suffix == ROWS else cleaned(text))
        half.replace(path)


def _pieces(path: Path) -> Iterator[tuple[int, str]]:
    """The text of a file with the number of its first line: rows, of which there may be millions, one by one."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        if path.suffix == ROWS:
            yield from enumerate(file, 1)
        else:
            yield 1, file.read()


def _cleaning(named: Mapping[str, str], places: tuple[Path, ...]) -> Callable[[str], str]:
    """text -> the same without places: whole paths alone, in every form that a text is written in."""
    # A home may lie behind a link, and be written either way.
    folders = {str(path) for place in places for path in (place.absolute(), place.resolve()) if len(path.parts) > 1}
    outside = {form(path): form(name) for path, name in named.items() for form in FORMS}
    own = re.compile(f"{BEFORE}(?:{_any(form(path) for path in folders for form in FORMS)}){AFTER}")
    stated = re.compile(f"{BEFORE}(?P<path>{_any(outside)}){AFTER}") if outside else None

    def cleaned(text: str) -> str:
        if stated is not None:
            text = stated.sub(lambda found: outside[found["path"]] + (found["inside"] or ""), text)
        return own.sub(lambda found: "" if found["inside"] else ".", text)

    return cleaned


def _any(texts: Iterable[str]) -> str:
    """A pattern for each of them, the longest first."""
    return "|".join(map(re.escape, sorted(set(texts), key=lambda text: (-len(text), text))))


def _row(line: str, cleaned: Callable[[str], str]) -> str:
    """A row whose origin has another name, and what else names a model or a file; all else stays, as does what is no row."""
    record = json.loads(line)
    made = record.get("provenance")
    if made is None:
        return line
    drawn = made.get("sampling", {})
    told = {**made, "origin": cleaned(made["origin"])}
    if places := {name: drawn[name] for name in DRAWN if name in drawn}:
        told["sampling"] = {**drawn, **json.loads(cleaned(json.dumps(places)))}
    return line if told == made else to_json({**record, "provenance": told}) + "\n"


def refuse_secrets(folder: Path) -> None:
    """Raises:
    DistillError: a file holds the value of a variable that is a secret by its name, a password out of an address, the
        hub's token, or a key by the marks that its issuer gives it. The value itself is not said.
    """
    known = ((form(value), what) for value, what in _secrets() for form in FORMS)
    values = {value: what for value, what in known if len(value) >= LEAST}
    found: list[str] = []
    for path in files(folder):
        if path.suffix in BINARY:
            continue
        name = path.relative_to(folder).as_posix()
        for line, text in _pieces(path):
            at = {what: text.find(value) for value, what in values.items() if value in text}
            at |= {f"a key by its marks ({one.what})": one.start for one in issued(text)}
            found += [f"{name}:{line + text.count(chr(10), 0, place)} holds {what}" for what, place in at.items()]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DistillError(
            f"{'; '.join(found[:3])}{more}",
            where="push",
            hint="withdraw the key where it was issued, take it out of the data (the filter `privacy` does), and run again; "
            "a variable that holds no secret can be unset",
        )


def _secrets() -> Iterator[tuple[str, str]]:
    """Every secret of this process -> what it is."""
    from huggingface_hub import get_token

    for name, value in ((name, value.strip()) for name, value in os.environ.items()):
        for signed in SIGNED.finditer(value):
            own = signed[2] if len(signed[2]) >= LEAST else signed[1]
            yield from ((secret, f"a password in ${name}") for secret in {own, unquote(own)})
        # A path or an address is no secret, whatever its variable is called.
        if NAMED.search(name) and len(value) >= LEAST and not value.startswith(("/", "http://", "https://")):
            yield value, f"the value of ${name}"
    if token := get_token():
        yield token, "the token of the hub"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
