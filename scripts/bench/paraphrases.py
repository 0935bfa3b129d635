"""Texts -> the same said anew by a model, for benchmarks of what must find them: paraphrases and translations.

    .venv/bin/python scripts/bench/paraphrases.py texts.jsonl --address http://localhost:8000/v1 --model NAME > said.jsonl

Reads {"text", ...} a line; writes it with {"paraphrase", "way"} for each of `--ways`, and all else that the line held.
Prompts and checks are those of the method `rephrase`: what copies the text, answers it or changes its numbers is no
paraphrase and is left out, counted on standard error. Any server with the chat completions of OpenAI will do.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from distill.context import NOWHERE, UNVERSIONED, Context, Resolved, Runtime
from distill.endpoint import Endpoint
from distill.engines.open import open_engine
from distill.engines.server import Server
from distill.generate.author import Unusable
from distill.generate.faithful import compare
from distill.generate.instructions import label_of, recited, unwrapped, without, written
from distill.generate.rephrase import Manner, Paraphrase, Rephrase, Translation
from distill.protocols import Completion, Engine, Request, Sampling
from distill.rows import Message

LONGEST = 400
"""Words of a paraphrase at most."""
SAMPLING = Sampling(temperature=0.7, top_p=0.95, max_new_tokens=400)
METHOD = Rephrase(rows="texts")


def way_of(name: str) -> Manner:
    return Paraphrase() if name == "paraphrase" else Translation(to=name)


TRIES = 3
"""How often a model is asked for a paraphrase of a text."""

Asked = tuple[dict[str, Any], str]
"""A line, and the way in which its text is said."""


def said_anew(asked: Sequence[Asked], address: str, model: str) -> Iterator[dict[str, Any] | str]:
    """The lines with their texts said anew, as the answers come; or the reason why there is none."""
    with tempfile.TemporaryDirectory() as cache:
        source = Resolved(model, NOWHERE, UNVERSIONED)
        context = Context(Path(cache), {model: source}, Runtime(server=Endpoint(address=address)))
        engine = open_engine(Server(), source, context)
        try:
            for sample in range(TRIES):
                refused: list[Asked] = []
                for one, made in _answers(engine, asked, sample):
                    if isinstance(made, dict) or sample == TRIES - 1:
                        yield made
                    else:
                        refused.append(one)
                asked = refused
        finally:
            engine.close()


def _answers(engine: Engine, asked: Sequence[Asked], sample: int) -> Iterator[tuple[Asked, dict[str, Any] | str]]:
    requests = {}
    for line, name in asked:
        way = way_of(name)
        turns = METHOD.turns(way.kind, text=line["text"], **way.values)
        request = Request(tuple(turns), SAMPLING, sample=sample)
        requests[request.key] = (request, line, name)
    for completion in engine.generate([request for request, _, _ in requests.values()]):
        request, line, name = requests[completion.request]
        try:
            said = read(completion, request.messages, line["text"], name)
            yield (line, name), {**line, "paraphrase": said, "way": name}
        except Unusable as error:
            yield (line, name), error.reason


def read(completion: Completion, turns: Sequence[Message], before: str, name: str) -> str:
    """What the model said in place of a text.

    Raises:
        Unusable: it is no paraphrase or translation of it.
    """
    way, label = way_of(name), label_of(turns, before)
    anew = without(label, written(completion, LONGEST, unwrapped))
    if recited(anew, turns):
        raise Unusable("copies_prompt_file", anew)
    compare(anew, before, way.kind, True, way.language)
    return anew


def main() -> None:
    parser = argparse.ArgumentParser(description="Texts said anew by a model, as JSON lines.")
    parser.add_argument("texts", type=Path)
    parser.add_argument("--address", required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--ways", default="paraphrase", help="`paraphrase` and languages, with commas between")
    options = parser.parse_args()
    lines = [json.loads(line) for line in options.texts.read_text(encoding="utf-8").splitlines()]
    refused: Counter[str] = Counter()
    asked = [(line, name) for line in lines for name in options.ways.split(",")]
    for made in said_anew(asked, options.address, options.model):
        if isinstance(made, str):
            refused[made] += 1
        else:
            print(json.dumps(made, ensure_ascii=False), flush=True)
    print(f"of {len(asked)} left out: {dict(refused)}", file=sys.stderr)


if __name__ == "__main__":
    main()
