"""What opens the user's turn of a model that is served elsewhere: its chat template, and nothing else of it, is read here.

messages -> the text up to where the user writes, and what ends that turn
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distill.context import NOWHERE, Resolved
from distill.errors import EngineError, SourceError
from distill.rows import Message

if TYPE_CHECKING:
    from distill.engines.template import Opening


class Openings:
    """The tokenizer is loaded when it is first needed.

    Args:
        source: folder, GGUF file or trained student with the template; a model that is nowhere has none.
    """

    def __init__(self, source: Resolved, cache: Path) -> None:
        self._source, self._cache = source, cache
        # A method that lets the teacher begin asks all its questions after the same words.
        self._opened = lru_cache(256)(self._open)
        self._tokenizer: Any = None

    def __call__(self, messages: tuple[Message, ...]) -> Opening:
        """The text as a server is to be given it, which puts the tokenizer's own first token before.

        Raises:
            DistillError: the template is not known, cannot be read, or has no such place.
        """
        return self._opened(messages)

    def _open(self, messages: tuple[Message, ...]) -> Opening:
        from distill.engines.template import opening, without_first

        if self._tokenizer is None:
            self._tokenizer = self._load()
        found = opening(self._tokenizer, messages)
        return replace(found, text=without_first(self._tokenizer, found.text))

    def _load(self) -> Any:
        source = self._source
        if source.path == NOWHERE:
            raise EngineError(
                "to let the teacher write the user's turn, its chat template must be known here",
                where="teacher.engine.tokenizer",
                hint="write engine: {kind: server, tokenizer: org/name}: a folder, hub id or GGUF file that has it",
            )
        from distill.engines.models import load_tokenizer
        from distill.engines.quiet import quiet

        if source.path.suffix != ".gguf":
            return load_tokenizer(source, self._cache)
        from transformers import AutoTokenizer

        try:  # of the weights, which may be hundreds of gigabytes, nothing is converted
            with quiet():
                return AutoTokenizer.from_pretrained(
                    str(source.path.parent), gguf_file=source.path.name, local_files_only=True
                )
        except Exception as error:  # what a damaged file makes a library raise is anybody's guess
            raise SourceError(f"no tokenizer can be read from it: {str(error)[:400]}", where=source.ref) from error
