"""a folder of documents -> records, one a file: its text, its path and its title.

Plain text and Markdown, as they are. What is kept as a book, a page or a print (PDF, HTML, DOCX) is refused: to guess
at its text belongs to programs made for that.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from distill.errors import SourceError
from distill.sources.content import listing
from distill.sources.records import READERS, Record, decode, read_files

DOCUMENTS = (".txt", ".md")
CLOSED = (".pdf", ".html", ".htm", ".docx", ".doc", ".odt", ".rtf", ".epub", ".pptx")
"""Endings of documents that hold no plain text."""
TITLE = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$", re.M)


def read_texts(path: Path, items: str | None) -> Iterator[Record]:
    """Records of a document, of all documents under a folder by name, or of data files.

    A document's record has the columns `text`, `path` (within the folder) and `title`: the first heading of a Markdown
    file, else the name of the file in words.

    Raises:
        SourceError: documents that are not read, documents and data files side by side, or nothing to read.
    """
    files = listing(path) if path.is_dir() else [path]
    if closed := _of(files, CLOSED):
        raise SourceError(
            f"{len(closed)} of its files hold no plain text, such as {closed[0].name}; read are {_read()}",
            where=str(path),
            hint="save them as .txt or .md (pandoc, pdftotext), or take them out of the folder",
        )
    documents, data = _of(files, DOCUMENTS), _of(files, READERS)
    if documents and data:
        raise SourceError(
            f"holds documents ({documents[0].name}, …) and data files ({data[0].name}, …)",
            where=str(path),
            hint="name one file, or a folder that holds the one or the other",
        )
    if data:
        yield from read_files(path, items)
        return
    if not documents:
        raise SourceError(f"no document; read are {_read()}", where=str(path))
    if items is not None:
        raise SourceError("`items` is for JSON and YAML files", where=str(path), hint="drop `items`")
    base = path if path.is_dir() else path.parent
    for file in documents:
        yield _document(file, base)


def _document(file: Path, base: Path) -> Record:
    try:
        text = decode(file.read_bytes(), str(file))
    except OSError as error:
        raise SourceError(f"cannot be read: {error.strerror or error}", where=str(file)) from error
    text = text.replace("\r\n", "\n")
    heading = TITLE.search(text) if file.suffix.lower() == ".md" else None
    title = heading[1] if heading else " ".join(re.split(r"[\s_-]+", file.stem)).strip()
    lines = [line for line in text.split("\n") if line.strip()]
    return Record(str(file), {"text": text, "lines": lines, "path": file.relative_to(base).as_posix(), "title": title})


def _of(files: Sequence[Path], suffixes: Collection[str]) -> list[Path]:
    return [file for file in files if file.suffix.lower() in suffixes]


def _read() -> str:
    return ", ".join((*DOCUMENTS, *READERS))
