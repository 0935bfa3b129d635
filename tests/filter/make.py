"""Rows for the tests of filters, in one short call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from distill.rows import Message, Provenance, Row, root_of


def chat(*turns: str, real: bool = False, method: str = "answer", system: str = "", **sampling: Any) -> Row:
    """A conversation; the user begins, and an even number of turns ends with an answer."""
    messages = [Message(role=("user", "assistant")[i % 2], content=text) for i, text in enumerate(turns)]  # type: ignore[arg-type]
    if system:
        messages.insert(0, Message(role="system", content=system))
    provenance = Provenance(
        source="real" if real else "teacher",
        origin="toy@1",
        method="real" if real else method,
        root=root_of(messages),
        sampling={"finish": "stop", **sampling},
    )
    return Row(kind="chat" if len(turns) % 2 == 0 else "prompt", messages=tuple(messages), provenance=provenance)


def word_tokenizer(folder: Path) -> Path:
    """A `tokenizer.json` with one token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path
