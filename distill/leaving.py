"""a folder that is to leave this machine -> the same without what belongs to this machine alone; secrets are refused.

Places: a path that the recipe names becomes its last part everywhere; any other path of this machine in cards, reports
and settings becomes the part behind the folder that everybody knows. Rows are not searched for others: what people and
models wrote is left as it is.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import gettempdir

from distill.errors import DistillError
from distill.filter.privacy.keys import issued

BINARY = (".safetensors", ".arrow", ".model")
ROWS = ".jsonl"
VOCABULARY = ("tokenizer.json", "vocab.json", "merges.txt", "added_tokens.json")
"""Files of which every sign counts: no place is looked for in them."""
WRITTEN = (".md", ".json", ".jsonl", ".html", ".txt", ".jinja")
"""What may hold a name of this machine; a licence has no suffix, and none."""
NAMED = re.compile(r"key|token|secret|passw|credential", re.IGNORECASE)
LEAST = 8
"""Characters of a secret: a shorter value stands in too many texts."""
GIVEN = re.compile(r"(?<![\w/.~<-])/(?:[\w.@+-]+/)*[\w.@+-]+")
"""What looks like an absolute path."""


def clean(folder: Path, named: Mapping[str, str], places: tuple[Path, ...]) -> None:
    """Take places out of every file that is written in words.

    Args:
        named: paths as the recipe has them -> what stands for each.
        places: folders that are this machine's own, besides those of the user and the system.
    """
    known = sorted({str(path.resolve()) for path in (*places, Path.home(), Path.cwd(), Path(gettempdir()))}, key=len)
    for path in files(folder):
        if path.suffix not in WRITTEN or path.name in VOCABULARY:
            continue
        half = path.with_name(f".{path.name}")
        with half.open("w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            for _, text in _pieces(path):
                for place in sorted(named, key=len, reverse=True):
                    text = text.replace(place, named[place])
                if path.suffix != ROWS:
                    text = GIVEN.sub(lambda found: _shortened(found[0], known), text)
                file.write(text)
        half.replace(path)


def _pieces(path: Path) -> Iterator[tuple[int, str]]:
    """The text of a file with the number of its first line: rows, of which there may be millions, one by one."""
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        if path.suffix == ROWS:
            yield from enumerate(file, 1)
        else:
            yield 1, file.read()


def _shortened(path: str, known: list[str]) -> str:
    """A path without the longest folder of this machine that it lies in."""
    inside = next((place for place in reversed(known) if path.startswith(f"{place}/") and len(place) > 1), None)
    return path[len(inside) + 1 :] if inside else path


def refuse_secrets(folder: Path) -> None:
    """Raises:
    DistillError: a file holds the value of a variable that is a secret by its name, the hub's token, or a key by the marks
        that its issuer gives it. The value itself is not said.
    """
    values, found = dict(_secrets()), []
    for path in files(folder):
        if path.suffix in BINARY:
            continue
        name = path.relative_to(folder).as_posix()
        for line, text in _pieces(path):
            at = [(text.find(value), variable) for value, variable in values.items()]
            at += [(one.start, f"a key by its marks ({one.what})") for one in issued(text)]
            found += [f"{name}:{line + text.count(chr(10), 0, place)} holds {what}" for place, what in at if place >= 0]
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise DistillError(
            f"{'; '.join(found[:3])}{more}",
            where="push",
            hint="withdraw the key where it was issued, take it out of the data (the filter `privacy` does), and run again",
        )


def _secrets() -> Iterator[tuple[str, str]]:
    """Every secret of this process -> what it is."""
    from huggingface_hub import get_token

    for name, value in os.environ.items():
        # A path or a setting is no secret, whatever its variable is called.
        if NAMED.search(name) and len(value) >= LEAST and not value.startswith(("/", "http")) and not value.isalpha():
            yield value, f"the value of ${name}"
    if token := get_token():
        yield token, "the token of the hub"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())
