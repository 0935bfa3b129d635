"""The model in this process: answers and scores in batches bounded by tokens.

    generate   messages -> text, how it ended, token counts
    score      messages with an answer -> its tokens' log-probabilities

The model is loaded when the first batch needs it. In float32 the same requests give the same answers, bit for bit:
batches follow from the list alone, and noise from the request alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from distill.context import Context, Resolved
from distill.engines import adapters, models, scoring
from distill.engines.batches import plan, share
from distill.engines.decode import decode
from distill.engines.template import Encoded, encode, prompt_ids, template_hash
from distill.errors import DistillError, EngineError
from distill.protocols import Completion, Request, ScoreRequest, TokenScores
from distill.rows import Frozen, digest

if TYPE_CHECKING:
    from transformers import PreTrainedModel

T = TypeVar("T")
R = TypeVar("R")

VERSION = 1
"""Raised when the same model would answer the same request otherwise."""

THINK = "<think>"

Dtype = Literal["bfloat16", "float16", "float32"]


class Transformers(Frozen):
    kind: Literal["transformers"] = "transformers"
    dtype: Dtype = "bfloat16"


class TransformersEngine:
    """Engine and Scorer over one model: a resolved reference, less some layers, plus an adapter."""

    def __init__(
        self,
        source: Resolved,
        context: Context,
        dtype: Dtype,
        drop_layers: tuple[int, ...] = (),
        adapter: Path | None = None,
    ) -> None:
        self._source, self._context, self._dtype = source, context, dtype
        self._drop_layers, self._adapter = drop_layers, adapter
        self._tokens = models.load_tokenizer(source, context.cache)
        self._room = models.context_length(source, context.cache)
        self._model: PreTrainedModel | None = None
        self.template = template_hash(self._tokens)
        self.tokenizer = models.vocabulary_hash(self._tokens)
        worn = adapters.fingerprint(adapter) if adapter else None
        self.name = digest(
            ["transformers", VERSION, source.revision, sorted(drop_layers), worn, dtype, self.template, self.tokenizer]
        )[:24]

    def generate(self, requests: Sequence[Request], known: Set[str] = frozenset()) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share, batch by batch.

        Args:
            requests: all of them, on every rank; the batches follow from this list.
            known: keys that need no answer. A batch of nothing else is left out; in others they are answered too.
        """
        asked: list[tuple[Request, list[int]]] = []
        failed: list[Completion] = []
        for request in {request.key: request for request in requests}.values():
            try:
                prompt = prompt_ids(self._tokens, request.messages)
                self._check_room(len(prompt), request.sampling.max_new_tokens)
                asked.append((request, prompt))
            except DistillError as error:
                failed.append(Completion(request.key, "", "error", 0, 0, error=str(error)))
        yield from share(failed, self._context.ranks.rank, self._context.ranks.world)
        for batch in self._share([len(prompt) + request.sampling.max_new_tokens for request, prompt in asked]):
            if any(asked[place][0].key not in known for place in batch):
                yield from self._halving(self._answer, [asked[place] for place in batch])

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        """Scores of the last turn of each request of this rank's share, batch by batch.

        Args:
            top_k: how many of the likeliest tokens to report at each position, where the request names none.
        """
        asked: list[tuple[ScoreRequest, Encoded]] = []
        failed: list[TokenScores] = []
        for request in requests:
            try:
                encoded = encode(self._tokens, request.messages, last_only=True)
                self._check_room(len(encoded.ids), 0)
                asked.append((request, encoded))
            except DistillError as error:
                failed.append(scoring.failure(request.key, str(error)))
        yield from share(failed, self._context.ranks.rank, self._context.ranks.world)
        for batch in self._share([len(encoded.ids) for _, encoded in asked]):
            yield from self._halving(
                lambda rows: scoring.score(self._loaded(), rows, top_k, len(self._tokens)),
                [asked[place] for place in batch],
            )

    def close(self) -> None:
        """Free the model's memory; the next question loads it again."""
        import gc

        import torch

        self._model = None
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def _share(self, lengths: Sequence[int]) -> list[list[int]]:
        ranks = self._context.ranks
        return share(plan(lengths, self._context.runtime.batch_tokens), ranks.rank, ranks.world)

    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            if self._dtype == "bfloat16" and models.device() == "cpu" and not _has_bfloat16():
                self._context.say("this processor has no bfloat16 arithmetic: dtype float32 may be faster")
            self._model = models.load(
                self._source, self._context.cache, self._dtype, self._drop_layers, self._adapter
            ).model
        return self._model

    def _check_room(self, prompt: int, new: int) -> None:
        if self._room is not None and prompt + new > self._room:
            raise EngineError(f"{prompt} tokens and {new} new ones are more than the model's {self._room} positions")

    def _answer(self, batch: Sequence[tuple[Request, list[int]]]) -> list[Completion]:
        model = self._loaded()
        stops = models.stop_ids(model, self._tokens)
        answers = decode(
            model, [prompt for _, prompt in batch], [request for request, _ in batch], stops, len(self._tokens)
        )
        return [
            self._completion(request, prompt, answer, answer[-1] in stops)
            for (request, prompt), answer in zip(batch, answers, strict=True)
        ]

    def _completion(self, request: Request, prompt: list[int], answer: list[int], stopped: bool) -> Completion:
        text = self._tokens.decode(answer, skip_special_tokens=True)
        # Some templates open the reasoning in the prompt already.
        opened = self._tokens.decode(prompt[-4:]).rstrip().endswith(THINK)
        text, reasoning, closed = split_reasoning(THINK + text if opened else text)
        return Completion(
            request=request.key,
            text=text,
            finish="stop" if stopped and closed else "length",
            prompt_tokens=len(prompt),
            new_tokens=len(answer),
            reasoning=reasoning,
        )

    def _halving(self, work: Callable[[Sequence[T]], list[R]], batch: Sequence[T]) -> list[R]:
        """Work on a batch, in two halves where memory does not hold the whole."""
        import torch

        try:
            with torch.inference_mode():
                return work(batch)
        except DistillError:
            raise
        except Exception as error:
            if not _out_of_memory(error) or len(batch) == 1:
                raise EngineError(
                    f"the model failed on a batch of {len(batch)}: {type(error).__name__}: {str(error)[:400]}",
                    where=self._source.ref,
                    hint="lower runtime.batch_tokens or the length of answers" if _out_of_memory(error) else None,
                ) from error
        # Outside of the handler, for the exception holds on to the batch's tensors.
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        middle = len(batch) // 2
        return self._halving(work, batch[:middle]) + self._halving(work, batch[middle:])


def split_reasoning(text: str) -> tuple[str, str | None, bool]:
    """The answer, the thinking before it, and whether the thinking came to an end; both without white space around."""
    head, opened, rest = text.partition(THINK)
    if not opened or head.strip():
        return text.strip(), None, True
    reasoning, closed, answer = rest.partition("</think>")
    return answer.strip(), reasoning.strip() or None, bool(closed)


def _out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _has_bfloat16() -> bool:
    """True where it cannot be known: only Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return not cpuinfo.exists() or "bf16" in cpuinfo.read_text(errors="replace")
