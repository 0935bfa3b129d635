"""conversations -> what a sequence classifier or reward model says of them: logits, each conversation's worked out once.

    cache/scores/<model>/     a journal of logits (see journal.py)

A conversation is read as the model's chat template writes it; a model without one reads question and answer as a pair of
texts, or the answer alone. It knows nothing of rows or thresholds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from distill.context import Context, Resolved
from distill.engines.batches import plan, share
from distill.engines.journal import Journal
from distill.engines.once import FAILED, Record, once
from distill.engines.placement import device
from distill.engines.quiet import quiet
from distill.engines.template import has_template, render, template_hash
from distill.errors import EngineError, SourceError, TemplateError
from distill.rows import Message, digest, readable

VERSION = 2
LONGEST = 200_000
"""Characters of a conversation that are not even cut into tokens: no classifier reads them."""


def open_classifier(source: Resolved, context: Context) -> Classifier:
    """The classifier of a model's folder; the weights are loaded when a conversation has no logits yet."""
    return Classifier(source, context)


class Classifier:
    """All ranks give the same conversations; each works on its share, and all get all logits."""

    def __init__(self, source: Resolved, context: Context) -> None:
        self._source, self._context = source, context
        self._journals: dict[bool, Journal] = {}
        self._model: Any = None

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """Names of its classes; one where it gives a number."""
        config = self._config
        return tuple(str(config.id2label[place]) for place in range(config.num_labels))

    @property
    def exclusive(self) -> bool:
        """Whether just one of its classes is true of a text, as far as it says."""
        return bool(self._config.problem_type != "multi_label_classification")

    def logits(
        self, conversations: Sequence[tuple[Message, ...]], answer_only: bool = False
    ) -> list[list[float] | str]:
        """One logit per class and conversation, or the reason why there are none."""
        keys = [digest([message.model_dump() for message in messages])[:24] for messages in conversations]
        journal = self._journal(answer_only)

        def make(missing: Mapping[str, tuple[Message, ...]]) -> Iterator[Record]:
            return self._records(missing, answer_only)

        found = once(journal, self._context.ranks, dict(zip(keys, conversations, strict=True)), make)
        return [found[key].get(FAILED) or found[key]["logits"] for key in keys]

    def close(self) -> None:
        """Free the model; the next conversation loads it again."""
        self._model = None
        for journal in self._journals.values():
            journal.close()

    def _journal(self, answer_only: bool) -> Journal:
        if answer_only not in self._journals:
            name = digest([VERSION, self._source.revision, template_hash(self._tokenizer), answer_only])[:24]
            self._journals[answer_only] = Journal(self._context.cache / "scores" / name)
        return self._journals[answer_only]

    def _records(self, missing: Mapping[str, tuple[Message, ...]], answer_only: bool) -> Iterator[Record]:
        """Of this rank's share, in batches bounded by tokens."""
        encoded: dict[str, list[int]] = {}
        failed: list[Record] = []
        for key, messages in missing.items():
            ids = self._fitting(messages, answer_only)
            if isinstance(ids, str):
                failed.append({"key": key, FAILED: ids})
            else:
                encoded[key] = ids
        ranks = self._context.ranks
        yield from share(failed, ranks.rank, ranks.world)
        keys = list(encoded)
        batches = plan([len(encoded[key]) for key in keys], self._context.runtime.batch_tokens)
        for batch in share(batches, ranks.rank, ranks.world):
            rows = self._forward([encoded[keys[place]] for place in batch])
            for place, logits in zip(batch, rows, strict=True):
                finite = all(map(math.isfinite, logits))
                said = {"logits": logits} if finite else {FAILED: "the model's output is not a number"}
                yield {"key": keys[place], **said}

    def _fitting(self, messages: Sequence[Message], answer_only: bool) -> list[int] | str:
        """The tokens of a conversation, or why it cannot be read."""
        size = sum(len(message.content) for message in messages)
        if size > LONGEST:
            return f"{size} characters; the model reads {self._room} tokens"
        try:
            ids = self._ids(messages, answer_only)
        except TemplateError as error:
            return error.message[:300]
        if not ids:
            return "there is nothing to read"
        return ids if len(ids) <= self._room else f"{len(ids)} tokens; the model reads {self._room} tokens"

    def _ids(self, messages: Sequence[Message], answer_only: bool) -> list[int]:
        said = [Message(role=one.role, content=readable(one.content)) for one in messages]
        answer = said[-1].content
        if answer_only:
            return list(self._tokenizer(answer, verbose=False)["input_ids"])
        if has_template(self._tokenizer):
            text = render(self._tokenizer, said, generate=False)
            return list(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
        before = "\n".join(one.content for one in said[:-1])
        return list(self._tokenizer(*([before] if before else []), answer, verbose=False)["input_ids"])

    def _forward(self, rows: Sequence[list[int]]) -> list[list[float]]:
        import torch

        if self._model is None:
            self._model = self._load()
        width, pad = max(map(len, rows)), self._pad(rows)
        # Decoders look for the last token that is no padding.
        self._model.config.pad_token_id = pad
        ids = torch.full((len(rows), width), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, row in enumerate(rows):
            ids[place, : len(row)] = torch.tensor(row)
            mask[place, : len(row)] = 1
        where = self._model.device
        try:
            with torch.inference_mode():
                logits = self._model(input_ids=ids.to(where), attention_mask=mask.to(where)).logits
        except (RuntimeError, IndexError) as error:
            raise EngineError(
                f"the classifier failed on a batch of {len(rows)}: {str(error)[:300]}",
                where=self._source.ref,
                hint="lower runtime.batch_tokens, if memory is what it lacks",
            ) from error
        return [[round(value, 5) for value in row] for row in logits.float().cpu().tolist()]

    def _pad(self, rows: Sequence[list[int]]) -> int:
        """The token that pads. One that also ends texts would hide their end: then any that is in none of them."""
        own, end = self._tokenizer.pad_token_id, self._tokenizer.eos_token_id
        if own is not None and own != end:
            return int(own)
        used = {token for row in rows for token in row}
        return next(token for token in range(len(self._tokenizer)) if token not in used)

    @property
    def _room(self) -> int:
        """Most tokens that it reads; of what it does not say, any number."""
        said = getattr(self._config, "max_position_embeddings", None) or self._tokenizer.model_max_length
        return int(min(said, self._tokenizer.model_max_length))

    @cached_property
    def _config(self) -> Any:
        from transformers import AutoConfig

        return self._read(lambda where: AutoConfig.from_pretrained(where, local_files_only=True))

    @cached_property
    def _tokenizer(self) -> Any:
        from transformers import AutoTokenizer

        return self._read(lambda where: AutoTokenizer.from_pretrained(where, local_files_only=True))

    def _load(self) -> Any:
        import torch
        from transformers import AutoModelForSequenceClassification

        def read(where: str) -> Any:
            return AutoModelForSequenceClassification.from_pretrained(
                where,
                dtype=torch.float32,
                use_safetensors=True,
                trust_remote_code=False,
                local_files_only=True,
                output_loading_info=True,
            )

        model, info = self._read(read)
        if info["missing_keys"] or info["mismatched_keys"]:
            # transformers would fill them with random numbers and only warn.
            missing = [*sorted(info["missing_keys"]), *map(str, info["mismatched_keys"])]
            raise SourceError(
                f"{len(missing)} weights are missing, {missing[0]} first",
                where=self._source.ref,
                hint="give a model that was trained to classify: a language model has no head for it",
            )
        return model.eval().to(device())

    def _read(self, read: Any) -> Any:
        try:
            with quiet():
                return read(str(self._source.path))
        except Exception as error:  # what a damaged folder makes a library raise is anybody's guess
            raise SourceError(
                f"no sequence classifier can be read from it: {str(error)[:300]}",
                where=self._source.ref,
                hint="give a folder or hub id of a model for sequence classification, with its tokenizer",
            ) from error
