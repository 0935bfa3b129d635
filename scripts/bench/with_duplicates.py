"""Duplicates by the tools of others: what scripts/bench/filters_duplicates.py compares with.

    python with_duplicates.py TOOL < order.json       {"texts": [...], "threshold": 0.8, "shingle": 3}

Run by it, perhaps in an environment of its own. Each tool keeps the first of several alike, in the way its own pages
show, with its own defaults but for the threshold and the words of a shingle. Its last line is one JSON object: places
of the dropped texts (null where a tool only makes signatures), processor seconds, version.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

Order = dict[str, Any]
WORD = re.compile(r"[a-z0-9]+")


def shingles(text: str, n: int) -> list[str]:
    words = WORD.findall(text.lower())
    return [" ".join(words[i : i + n]) for i in range(max(1, len(words) - n + 1))]


def seconds() -> float:
    """Processor seconds of this process and its children: a busy machine does not change them much."""
    return sum(os.times()[:4])


def datasketch(order: Order) -> list[int]:
    from datasketch import MinHash, MinHashLSH

    lsh = MinHashLSH(threshold=order["threshold"], num_perm=128)
    dropped = []
    for place, text in enumerate(order["texts"]):
        one = MinHash(num_perm=128)
        one.update_batch([shingle.encode() for shingle in shingles(text, order["shingle"])])
        if lsh.query(one):
            dropped.append(place)
        else:
            lsh.insert(place, one)
    return dropped


def rensa(order: Order) -> None:
    from rensa import RMinHash

    for text in order["texts"]:
        one = RMinHash(num_perm=128, seed=42)
        one.update(shingles(text, order["shingle"]))
        one.digest()


def text_dedup(order: Order) -> list[int]:
    from datasets import Dataset, load_from_disk
    from text_dedup.minhash import main

    with tempfile.TemporaryDirectory() as folder:
        Dataset.from_dict({"text": order["texts"], "place": list(range(len(order["texts"])))}).save_to_disk(
            folder + "/in"
        )
        what = ["--path", folder + "/in", "--local", "--output", folder + "/out", "--column", "text", "--num_proc", "1"]
        how = [
            "--threshold",
            str(order["threshold"]),
            "--ngram",
            str(order["shingle"]),
            "--cache_dir",
            folder + "/cache",
        ]
        main([*what, *how], standalone_mode=False)
        kept = set(load_from_disk(folder + "/out")["place"])
    return [place for place in range(len(order["texts"])) if place not in kept]


def datatrove(order: Order) -> list[int]:
    from datatrove.data import Document
    from datatrove.executor import LocalPipelineExecutor
    from datatrove.pipeline.dedup import (
        MinhashDedupBuckets,
        MinhashDedupCluster,
        MinhashDedupFilter,
        MinhashDedupSignature,
    )
    from datatrove.pipeline.dedup.minhash import MinhashConfig
    from datatrove.pipeline.writers.jsonl import JsonlWriter

    config = MinhashConfig(n_grams=order["shingle"])
    documents = [Document(text=text, id=str(place)) for place, text in enumerate(order["texts"])]
    with tempfile.TemporaryDirectory() as folder:
        out = JsonlWriter(folder + "/kept", compression=None)
        signature, buckets, remove = (folder + "/" + name for name in ("signatures", "buckets", "remove"))
        steps: list[tuple[list[Any], int]] = [
            ([documents, MinhashDedupSignature(signature, config=config, language="eng")], 1),
            ([MinhashDedupBuckets(signature, buckets, config=config)], config.num_buckets),
            ([MinhashDedupCluster(buckets, remove, config=config)], 1),
            ([documents, MinhashDedupFilter(remove), out], 1),
        ]
        for step, (pipeline, tasks) in enumerate(steps):
            LocalPipelineExecutor(pipeline, tasks=tasks, workers=1, logging_dir=f"{folder}/logs{step}").run()
        kept = {int(json.loads(line)["id"]) for path in Path(folder, "kept").iterdir() for line in path.open()}
    return [place for place in range(len(documents)) if place not in kept]


TOOLS: dict[str, tuple[str, Callable[[Order], list[int] | None]]] = {
    "datasketch": ("datasketch", datasketch),
    "rensa": ("rensa", rensa),
    "text-dedup": ("text-dedup", text_dedup),
    "datatrove": ("datatrove", datatrove),
}


def main() -> None:
    package, tool = TOOLS[sys.argv[1]]
    order: Order = json.load(sys.stdin)
    with contextlib.redirect_stdout(sys.stderr):
        tool({**order, "texts": order["texts"][:20]})  # what is loaded or compiled once is not counted
        started = seconds()
        dropped = tool(order)
        took = seconds() - started
    print(json.dumps({"dropped": dropped, "seconds": took, "version": version(package)}))


if __name__ == "__main__":
    main()
