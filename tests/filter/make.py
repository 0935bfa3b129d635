"""Rows for the tests of filters, in one short call."""

from __future__ import annotations

from collections.abc import Sequence
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


def text(content: str, real: bool = False, root: str = "", **sampling: Any) -> Row:
    """A text, perhaps a passage of something longer with another root."""
    made = chat("", content, real=real, method="continue", **sampling)
    messages = (Message(role="assistant", content=content),)
    provenance = made.provenance.model_copy(update={"root": root or root_of(messages)})
    return Row(kind="text", messages=messages, provenance=provenance)


def pair(question: str, chosen: str, rejected: str, **sampling: Any) -> Row:
    """A preference."""
    made = chat(question, chosen, method="rank", **sampling)
    instead = (Message(role="assistant", content=rejected),)
    return Row(kind="preference", messages=made.messages, rejected=instead, provenance=made.provenance)


def item(question: str, answer: str, **evidence: str) -> Row:
    """Something to be evaluated on."""
    made = chat(question, answer, method="benchmark")
    return Row(kind="benchmark", messages=made.messages, evidence=evidence, provenance=made.provenance)


def word_tokenizer(folder: Path) -> Path:
    """A `tokenizer.json` with one token a word."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    path = folder / "tokenizer.json"
    tokenizer.save(str(path))
    return path


class Places:
    """Embeds a row by the angle that its answer names, in degrees: nearness that a test can tell by heart."""

    def embed(self, texts: Sequence[str]) -> Any:
        import numpy as np

        angles = np.radians([float(text.split("\n")[1].split()[0]) for text in texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)

    def close(self) -> None: ...
