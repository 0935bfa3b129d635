"""The real engine on a tiny model: same answers from the same plan, scores that a plain loop confirms."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from distill.context import Context, Ranks, Resolved, Runtime
from distill.engines import decode as decode_module
from distill.engines import models, transformers
from distill.engines.lane import Lane, Row
from distill.engines.template import answer_span, encode, prompt_ids
from distill.engines.transformers import Transformers, TransformersEngine
from distill.errors import EngineError
from distill.protocols import Request, Sampling, ScoreRequest
from distill.rows import Message
from tests.conftest import TOKENS

WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog", "and", "runs", "away"]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    return Context(cache=tmp_path, resolved={}, runtime=Runtime(batch_tokens=200))


def engine(tiny_model: Path, context: Context, **changes: Any) -> TransformersEngine:
    spec = changes.pop("spec", Transformers(dtype="float32"))
    return TransformersEngine(Resolved("tiny", tiny_model, "sha256:0"), context, spec, **changes)


def ask(count: int = 12, **sampling: Any) -> list[Request]:
    """Prompts and limits of many lengths, greedy and sampled in turn."""
    requests = []
    for index in range(count):
        how = Sampling(
            temperature=index % 3 / 2, top_p=1 - index % 2 / 10, top_k=index % 4 * 10, max_new_tokens=4 + index
        )
        content = " ".join(WORDS[: index % 7 + 1])
        messages = (Message(role="user", content=f"{index} {content}"),)
        requests.append(Request(messages, how.model_copy(update=sampling), seed=5))
    return requests


def test_the_same_plan_gives_the_same_bits_and_other_batches_nearly_the_same(
    tiny_model: Path, context: Context
) -> None:
    requests = ask()
    opened = engine(tiny_model, context)
    first = list(opened.generate(requests))
    assert sorted(c.request for c in first) == sorted(r.key for r in requests)
    assert list(engine(tiny_model, context).generate(requests)) == first
    alone = [c for request in requests for c in opened.generate([request])]
    same = {c.request: c.text for c in first}
    assert sum(same[c.request] == c.text for c in alone) >= len(requests) - 1


def test_ranks_answer_all_and_as_one_would(tiny_model: Path, context: Context) -> None:
    requests = [*ask(30), ask(1)[0]]
    context = replace(context, runtime=Runtime(batch_tokens=120))
    whole = {c.request: c for c in engine(tiny_model, context).generate(requests)}
    shares = [list(engine(tiny_model, replace(context, ranks=Ranks(rank, 2))).generate(requests)) for rank in (0, 1)]
    assert all(shares)
    assert {c.request: c for share in shares for c in share} == whole
    assert sum(map(len, shares)) == len(whole) == 30


def test_greedy_is_what_generate_of_transformers_says(tiny_model: Path, context: Context) -> None:
    from transformers import GenerationConfig

    requests = ask(6, temperature=0, max_new_tokens=20)
    ours = {c.request: c for c in engine(tiny_model, context).generate(requests)}
    loaded = models.load(Resolved("tiny", tiny_model, "sha256:0"), context.cache, "float32")
    for request in requests:
        ids = torch.tensor([prompt_ids(loaded.tokenizer, request.messages)])
        config = GenerationConfig(max_new_tokens=20, do_sample=False, eos_token_id=2, pad_token_id=2)
        theirs = loaded.model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=config)
        new = theirs[0, ids.shape[1] :]
        assert ours[request.key].text == loaded.tokenizer.decode(new, skip_special_tokens=True).strip()
        assert ours[request.key].prompt_tokens == ids.shape[1]


def test_each_request_ends_by_its_own_limit_or_at_a_stop_token(
    tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = ask()
    done = {c.request: c for c in engine(tiny_model, context).generate(requests)}
    assert {done[r.key].new_tokens for r in requests} == {r.sampling.max_new_tokens for r in requests}
    assert {c.finish for c in done.values()} == {"length"}
    # Let every token stop: all answers are one token long and finished.
    monkeypatch.setattr(models, "stop_ids", lambda *_: set(range(TOKENS)))
    done = {c.request: c for c in engine(tiny_model, context).generate(requests)}
    assert {(c.finish, c.new_tokens) for c in done.values()} == {("stop", 1)}


def test_a_row_that_stops_early_leaves_the_others_as_they_were(tiny_model: Path, context: Context) -> None:
    requests = ask(8, temperature=0.7, top_p=1, top_k=0, max_new_tokens=24)
    loaded = models.load(Resolved("tiny", tiny_model, "sha256:0"), context.cache, "float32")

    def written(stops: set[int]) -> list[Row]:
        rows = [Row(request, prompt_ids(loaded.tokenizer, request.messages)) for request in requests]
        done = decode_module.decode(loaded.model, Lane(rows, 5000), lambda row: row.answer[-1] in stops, TOKENS)
        assert {id(row) for row in done} == set(map(id, rows))
        return rows

    whole = [row.answer for row in written(set())]
    stops = {whole[2][5], whole[5][11]}
    stopped = [row.answer for row in written(stops)]
    for full, cut in zip(whole, stopped, strict=True):
        end = next((place + 1 for place, token in enumerate(full) if token in stops), len(full))
        assert cut == full[:end]
    assert min(map(len, stopped)) < 24 == max(map(len, stopped))


def test_settings_of_the_model_do_not_leak(tiny_model: Path, context: Context, tmp_path: Path) -> None:
    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    (folder / "generation_config.json").write_text(
        '{"do_sample": true, "temperature": 0.1, "repetition_penalty": 5.0, "max_length": 3, "eos_token_id": [2]}'
    )
    requests = ask(6)
    plain = list(engine(tiny_model, context).generate(requests))
    assert list(engine(folder, context).generate(requests)) == plain


def test_what_is_known_is_not_written_again_and_changes_nothing(tiny_model: Path, context: Context) -> None:
    requests = ask(24)
    opened = engine(tiny_model, context)
    whole = {c.request: c for c in opened.generate(requests)}
    for missing in ({3}, {0, 23}, set(range(24)) - {5, 6}, set(range(1, 24, 2))):
        wanted = {requests[place].key for place in missing}
        known = {key: done.new_tokens for key, done in whole.items() if key not in wanted}
        assert {c.request: c for c in opened.generate(requests, known)} == {key: whole[key] for key in wanted}
    idle = engine(tiny_model, context)
    assert list(idle.generate(requests, {key: c.new_tokens for key, c in whole.items()})) == []
    assert idle._model is None


def test_answers_come_as_each_is_done(tiny_model: Path, context: Context) -> None:
    context = replace(context, runtime=Runtime(batch_tokens=5000))
    answers = engine(tiny_model, context).generate(ask(12))
    lengths = [completion.new_tokens for completion in answers]
    assert lengths == sorted(lengths) and len(set(lengths)) == 12


def test_what_does_not_fit_or_cannot_be_rendered_fails_alone(tiny_model: Path, context: Context) -> None:
    long = Request((Message(role="user", content="word " * 2100),), Sampling(max_new_tokens=2))
    odd = Request((Message(role="tool", content="x"),), Sampling(max_new_tokens=2))
    short = ask(1)[0]
    context = replace(context, runtime=Runtime(batch_tokens=5000))
    done = {c.request: c for c in engine(tiny_model, context).generate([long, short])}
    assert done[long.key].finish == "error" and "2048 positions" in str(done[long.key].error)
    assert done[short.key].finish == "length"
    scores = {s.request: s for s in engine(tiny_model, context).score([ScoreRequest("k", odd.messages)], 3)}
    assert "no assistant turn" in str(scores["k"].error) and len(scores["k"].tokens) == 0


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("cuda"), RuntimeError("can't allocate memory: 1 GB")])
def test_a_batch_that_memory_does_not_hold_is_halved(
    tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    sizes: list[int] = []
    context = replace(context, runtime=Runtime(batch_tokens=5000))

    class Small(decode_module.Batch):
        def step(self) -> list[int]:
            sizes.append(len(self._rows))
            if len(self._rows) > 2:
                raise error
            return super().step()

    monkeypatch.setattr(decode_module, "Batch", Small)
    requests = [replace(request, seed=seed) for seed, request in enumerate(ask(9, max_new_tokens=4))]
    requests[0] = replace(requests[0], sampling=Sampling(temperature=0, max_new_tokens=1))  # done before memory is out
    done = list(engine(tiny_model, context).generate(requests))
    assert sorted(c.request for c in done) == sorted(r.key for r in requests)
    assert {c.new_tokens for c in done} == {1, 4}
    assert max(sizes) > 2 and sizes[-1] <= 2


@pytest.mark.parametrize(("error", "hint"), [(torch.OutOfMemoryError("x"), "batch_tokens"), (KeyError("x"), None)])
def test_other_failures_are_errors_of_the_engine(
    tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch, error: Exception, hint: str | None
) -> None:
    def broken(*_: Any) -> Any:
        raise error

    monkeypatch.setattr(decode_module, "_read", broken)
    context = replace(context, runtime=Runtime(batch_tokens=20))
    with pytest.raises(EngineError, match="failed on a batch") as caught:
        list(engine(tiny_model, context).generate(ask(3)))
    assert (hint or "") in (caught.value.hint or "") and bool(hint) == bool(caught.value.hint)


def answered(count: int = 9) -> list[ScoreRequest]:
    requests = []
    for index in range(count):
        messages = (
            Message(role="user", content="One."),
            Message(role="assistant", content="Two."),
            Message(role="user", content=" ".join(WORDS[: index + 1])),
            Message(role="assistant", content=" ".join(WORDS[-(index % 5) - 1 :]) + "."),
        )
        requests.append(ScoreRequest(f"k{index}", messages[index % 2 * 2 :]))
    return requests


def test_scores_are_those_of_a_plain_loop(tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("distill.engines.scoring.CHUNK", 4)
    scores = {s.request: s for s in engine(tiny_model, context).score(answered(), 5)}
    loaded = models.load(Resolved("tiny", tiny_model, "sha256:0"), context.cache, "float32")
    for request in answered():
        encoded = encode(loaded.tokenizer, request.messages)
        start, end = answer_span(encoded)
        with torch.inference_mode():
            logprobs = loaded.model(torch.tensor([encoded.ids])).logits[0].log_softmax(-1)[start - 1 : end - 1]
        score = scores[request.key]
        assert score.tokens.tolist() == encoded.ids[start:end] and score.tokens[-1] == 2
        expected = logprobs[range(end - start), encoded.ids[start:end]]
        np.testing.assert_allclose(score.logprobs, expected, atol=1e-4)
        np.testing.assert_allclose(score.top_logprobs, logprobs.topk(5).values, atol=1e-4)
        assert (score.best == score.top_ids[:, 0]).all()
        assert (score.best == logprobs.argmax(-1).numpy()).all()
        assert (score.tokens.dtype, score.logprobs.dtype) == (np.int32, np.float32)
        assert (score.top_ids.dtype, score.top_logprobs.dtype) == (np.int32, np.float32)


def test_scores_at_given_ids(tiny_model: Path, context: Context) -> None:
    scorer = engine(tiny_model, context)
    own = {s.request: s for s in scorer.score(answered(), 6)}
    at = [replace(request, at=own[request.key].top_ids[:, ::-1].copy()) for request in answered()]
    for score in scorer.score(at, 1):
        np.testing.assert_array_equal(score.top_ids, own[score.request].top_ids[:, ::-1])
        np.testing.assert_array_equal(score.top_logprobs, own[score.request].top_logprobs[:, ::-1])
    wrong = replace(answered()[0], at=np.zeros((1, 2), np.int32))
    with pytest.raises(EngineError, match="positions of an answer"):
        list(scorer.score([wrong], 1))


def test_ranks_score_all_once(tiny_model: Path, context: Context) -> None:
    shares = [
        [s.request for s in engine(tiny_model, replace(context, ranks=Ranks(rank, 2))).score(answered(), 2)]
        for rank in (0, 1)
    ]
    assert all(shares) and sorted(shares[0] + shares[1]) == sorted(r.key for r in answered())


def test_closing_frees_the_model_and_it_loads_again(tiny_model: Path, context: Context) -> None:
    opened = engine(tiny_model, context)
    first = list(opened.generate(ask(2)))
    assert opened._model is not None
    opened.close()
    assert opened._model is None
    assert list(opened.generate(ask(2))) == first


def test_everything_that_changes_an_answer_is_in_the_name(tiny_model: Path, context: Context, tmp_path: Path) -> None:
    names = {engine(tiny_model, context).name, engine(tiny_model, context, drop_layers=(1,)).name}
    names.add(TransformersEngine(Resolved("tiny", tiny_model, "sha256:1"), context, Transformers(dtype="float32")).name)
    names.add(engine(tiny_model, context, spec=Transformers(dtype="bfloat16")).name)
    names |= {
        engine(tiny_model, context, spec=Transformers(dtype="float32", quantization=q)).name for q in ("nf4", "int8")
    }
    folder = tmp_path / "m"
    shutil.copytree(tiny_model, folder)
    (folder / "chat_template.jinja").write_text((folder / "chat_template.jinja").read_text() + " ")
    names.add(engine(folder, context).name)
    assert len(names) == 7
    moved = replace(
        context, cache=tmp_path / "elsewhere", runtime=Runtime(batch_tokens=5, device_map="auto"), ranks=Ranks(1, 2)
    )
    other = TransformersEngine(Resolved("other/name", tiny_model, "sha256:0"), moved, Transformers(dtype="float32"))
    assert other.name == engine(tiny_model, context).name


def test_slow_bfloat16_is_said_once(
    tiny_model: Path, context: Context, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for has in (True, False):
        monkeypatch.setattr(transformers, "_has_bfloat16", lambda has=has: has)
        opened = engine(tiny_model, context, spec=Transformers())
        list(opened.generate(ask(2)))
        list(opened.generate(ask(3)))
        assert capsys.readouterr().err.count("float32 may be faster") == (0 if has else 1)
