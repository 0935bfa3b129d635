"""The model in this process: answers and scores in batches bounded by tokens.

    generate   messages -> text, how it ended, token counts
    score      messages with an answer -> its tokens' log-probabilities

The model is loaded when the first batch needs it. In float32 the same requests give the same answers, bit for bit:
batches follow from the list alone, and noise from the request alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, TypeVar

from distill.context import Context, Resolved
from distill.engines import adapters, branches, models, scoring, turns
from distill.engines.batches import lanes, plan, share
from distill.engines.cache import joinable
from distill.engines.decode import decode
from distill.engines.lane import Lane, Row
from distill.engines.placement import Placement, Quantization, device
from distill.engines.prefixes import Pack
from distill.engines.template import Encoded, encode, encode_text, foretelling, template_hash
from distill.errors import DistillError, EngineError
from distill.protocols import Completion, Request, ScoreRequest, TokenScores
from distill.rows import Frozen, digest

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import PreTrainedModel
    from transformers import PreTrainedTokenizerBase as Tokenizer

T = TypeVar("T")
R = TypeVar("R")

VERSION = 2
"""Raised when the same model would answer the same request otherwise."""

Dtype = Literal["bfloat16", "float16", "float32"]
NONE: Mapping[str, int] = MappingProxyType({})


class Transformers(Frozen):
    kind: Literal["transformers"] = "transformers"
    dtype: Dtype = "bfloat16"
    quantization: Quantization | None = None
    """Weights of linear layers in 4 bits (`nf4`) or 8 (`int8`) by bitsandbytes; the rest, and the arithmetic, in `dtype`."""


class TransformersEngine:
    """Engine and Scorer over one model: a resolved reference, less some layers, plus an adapter."""

    def __init__(
        self,
        source: Resolved,
        context: Context,
        spec: Transformers,
        drop_layers: tuple[int, ...] = (),
        adapter: Path | None = None,
    ) -> None:
        self._source, self._context, self._spec = source, context, spec
        self._drop_layers, self._adapter = drop_layers, adapter
        self._tokens = models.load_tokenizer(source, context.cache)
        self._room = models.context_length(source, context.cache)
        self._model: PreTrainedModel | None = None
        self._apart: bool | None = None
        """Whether it lets rows with a common beginning lie in one pack; None until that is tried."""
        self.template = template_hash(self._tokens)
        self.tokenizer = models.vocabulary_hash(self._tokens)
        worn = adapters.fingerprint(adapter) if adapter else None
        what = [source.revision, sorted(drop_layers), worn, spec.model_dump(), self.template, self.tokenizer]
        self.name = digest(["transformers", VERSION, *what])[:24]

    def generate(self, requests: Sequence[Request], known: Mapping[str, int] = NONE) -> Iterator[Completion]:
        """One completion per distinct request of this rank's share that is not known, as each is done.

        Args:
            requests: all of them, on every rank; the lanes follow from this list.
            known: keys of those that need no answer, with the number of new tokens of the answer that is there.
        """
        rows: list[Row] = []
        failed: list[Completion] = []
        for request in {request.key: request for request in requests}.values():
            try:
                row = turns.row_of(self._tokens, request)
                self._check_room(len(row.prompt), request.sampling.max_new_tokens)
                row.known = known.get(request.key)
                rows.append(row)
            except DistillError as error:
                failed.append(Completion(request.key, "", "error", 0, 0, error=str(error)))
        ranks = self._context.ranks
        yield from share(failed, ranks.rank, ranks.world)
        dealt = lanes([row.reserved for row in rows], self._context.runtime.batch_tokens)
        for lane in share(dealt, ranks.rank, ranks.world):
            if any(rows[place].known is None for place in lane):
                yield from self._lane([rows[place] for place in lane], self._context.runtime.batch_tokens)

    def late(self) -> list[Completion]:
        """What is closed early stops at once, and what it had begun is lost and has cost nothing."""
        return []

    def score(self, requests: Sequence[ScoreRequest], top_k: int) -> Iterator[TokenScores]:
        """Scores of the last turn of each request of this rank's share, batch by batch.

        Args:
            top_k: how many of the likeliest tokens to report at each position, where the request names none.
        """
        asked: list[tuple[ScoreRequest, Encoded]] = []
        failed: list[TokenScores] = []
        for request in requests:
            try:
                encoded = self._encoded(request)
                self._check_room(len(encoded.ids), 0)
                asked.append((request, encoded))
            except DistillError as error:
                failed.append(scoring.failure(request.key, str(error)))
        ranks = self._context.ranks
        yield from share(failed, ranks.rank, ranks.world)
        vocabulary = len(self._tokens)
        packs = self._packs(asked)
        # One pack keeps a processor busy, and what it computes stays near it.
        most = 1 if device() == "cpu" else self._context.runtime.batch_tokens
        for batch in share(plan([len(one.ids) for one in packs], most), ranks.rank, ranks.world):
            yield from self._halving(
                lambda some: branches.score(self._loaded(), some, asked, top_k, vocabulary),
                [packs[place] for place in batch],
            )
        done = {row for one in packs for row in one.rows}
        left = [pair for place, pair in enumerate(asked) if place not in done]
        batches = plan([len(encoded.ids) for _, encoded in left], self._context.runtime.batch_tokens)
        for batch in share(batches, ranks.rank, ranks.world):
            yield from self._halving(
                lambda rows: scoring.score(self._loaded(), rows, top_k, vocabulary),
                [left[place] for place in batch],
            )

    def _packs(self, asked: Sequence[tuple[ScoreRequest, Encoded]]) -> list[Pack]:
        """Rows whose common beginnings are read once, where the model lets itself be asked so."""
        packs = branches.packed(asked, self._context.runtime.batch_tokens)
        if packs and self._apart is None:
            why = branches.obstacle(self._loaded())
            self._apart = why is None
            if why:
                self._context.say(f"  rows are scored with padding, since this model cannot keep them apart: {why}")
        return packs if self._apart and branches.window(self._loaded()) >= branches.longest(packs) else []

    def foretell(
        self, rows: Sequence[tuple[str, Encoded]], take: Callable[[str, Tensor], R], vocabulary: int
    ) -> list[R]:
        """What `take` makes of each row's name and of the (T, V) logits that foretell its learnt tokens, as one batch.

        Args:
            vocabulary: ids that stand for a token, V.

        Raises:
            EngineError: a row that is longer than the model can read, or the model failed.
        """
        import torch

        for name, encoded in rows:
            if self._room is not None and len(encoded.ids) > self._room:
                raise EngineError(
                    f"{len(encoded.ids)} tokens are more than the model's {self._room} positions",
                    where=f"row {name}",
                    hint=f"leave such rows out: filter: [{{kind: length, max_tokens: {self._room}}}]",
                )

        def work(part: Sequence[tuple[str, Encoded]]) -> list[R]:
            wanted = [foretelling(encoded) for _, encoded in part]
            asked = [(encoded.ids, places) for (_, encoded), places in zip(part, wanted, strict=True)]
            logits = scoring.logits_at(self._loaded(), asked, vocabulary)
            split = torch.split(logits, [len(places) for places in wanted])
            return [take(name, mine) for (name, _), mine in zip(part, split, strict=True)]

        return self._halving(work, rows)

    def _encoded(self, request: ScoreRequest) -> Encoded:
        if request.turn == "assistant":
            return encode(self._tokens, request.messages, last_only=True)
        encoded = encode_text(self._tokens, request.messages[-1].content)
        if len(encoded.ids) < 2:
            raise EngineError("the text has no token that another one precedes")
        return encoded

    def borrowed(self) -> tuple[PreTrainedModel, Tokenizer]:
        """The model and a tokenizer of its own, for a library that asks it in another way."""
        return self._loaded(), models.load_tokenizer(self._source, self._context.cache)

    def close(self) -> None:
        """Free the model's memory; the next question loads it again."""
        import gc

        self._model = None
        gc.collect()
        _free_cache()

    def _loaded(self) -> PreTrainedModel:
        if self._model is None:
            spec = self._spec
            if spec.dtype == "bfloat16" and device() == "cpu" and not _has_bfloat16():
                self._context.say("this processor has no bfloat16 arithmetic: dtype float32 may be faster")
            self._model = models.load(
                self._source,
                self._context.cache,
                spec.dtype,
                self._drop_layers,
                self._adapter,
                Placement(spec.quantization, self._context.runtime.device_map),
            ).model
        return self._model

    def _check_room(self, prompt: int, new: int) -> None:
        if self._room is not None and prompt + new > self._room:
            raise EngineError(f"{prompt} tokens and {new} new ones are more than the model's {self._room} positions")

    def _lane(self, rows: Sequence[Row], batch_tokens: int) -> Iterator[Completion]:
        """The completions of a lane; where memory does not hold a batch, those that are missing in smaller ones."""
        model = self._loaded()
        stops = models.stop_ids(model, self._tokens)
        for row in rows:
            row.stops |= stops
        lane = Lane(rows, batch_tokens, rigid=not joinable(model.config))
        try:
            for row in decode(model, lane, partial(turns.ends, self._tokens), len(self._tokens)):
                yield turns.completion(self._tokens, row)
            return
        except DistillError:
            raise
        except Exception as error:
            self._check_memory(error, len(lane.batch))
        # Outside of the handler, for the exception holds on to the batch's tensors.
        _free_cache()
        left = [row for row in rows if row.known is None and not row.done]
        for row in left:
            row.answer.clear()
        yield from self._lane(left, len(lane.batch) * max(row.reserved for row in lane.batch) // 2)

    def _halving(self, work: Callable[[Sequence[T]], list[R]], batch: Sequence[T]) -> list[R]:
        """Work on a batch, in two halves where memory does not hold the whole."""
        import torch

        try:
            with torch.inference_mode():
                return work(batch)
        except DistillError:
            raise
        except Exception as error:
            self._check_memory(error, len(batch))
        _free_cache()
        middle = len(batch) // 2
        return self._halving(work, batch[:middle]) + self._halving(work, batch[middle:])

    def _check_memory(self, error: Exception, rows: int) -> None:
        """Let a lack of memory pass that fewer rows may mend.

        Raises:
            EngineError: anything else.
        """
        lacking = _out_of_memory(error)
        if not lacking or rows == 1:
            raise EngineError(
                f"the model failed on a batch of {rows}: {type(error).__name__}: {str(error)[:400]}",
                where=self._source.ref,
                hint="lower runtime.batch_tokens or the length of answers" if lacking else None,
            ) from error


def _out_of_memory(error: Exception) -> bool:
    import torch

    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)


def _free_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _has_bfloat16() -> bool:
    """True where it cannot be known: only Linux says."""
    cpuinfo = Path("/proc/cpuinfo")
    return not cpuinfo.exists() or "bf16" in cpuinfo.read_text(errors="replace")
