"""distilabel's TransformersLLM on prompts from standard input: what scripts/bench/generate.py compares with.

Run by it in an environment of its own. Its last line is one JSON object: tokens up to the stop token, seconds, version.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from typing import Any


def main() -> None:
    from distilabel.models.llms import TransformersLLM

    order: dict[str, Any] = json.load(sys.stdin)
    llm = TransformersLLM(model=order["model"], torch_dtype="bfloat16", device="cpu")
    llm.load()
    sampling = {"temperature": order["temperature"], "top_p": order["top_p"], "repetition_penalty": 1.0}
    llm.generate(inputs=[[{"role": "user", "content": "Hello."}]], max_new_tokens=4, **sampling)
    inputs = [[{"role": "user", "content": text}] for text in order["prompts"]]
    started = time.monotonic()
    outputs = llm.generate(inputs=inputs, max_new_tokens=order["new_tokens"], **sampling)
    seconds = time.monotonic() - started
    tokens = 0
    for output in outputs:
        written = len(llm._pipeline.tokenizer(output["generations"][0], add_special_tokens=False)["input_ids"])
        # The stop token is not in the text; it was written unless the budget was out before.
        tokens += min(written + 1, order["new_tokens"])
    print(json.dumps({"tokens": tokens, "seconds": seconds, "version": version("distilabel")}))


if __name__ == "__main__":
    main()
