"""Near and semantic duplicates: rows per second, memory, precision and recall, beside the tools of others.

    .venv/bin/python scripts/bench/filters_duplicates.py                        about three minutes on two cores
    .venv/bin/python scripts/bench/filters_duplicates.py --million              also the memory of a million rows
    .venv/bin/python scripts/bench/filters_duplicates.py --texts FOLDER         real texts (*.txt, *.jsonl) of your own

The others are imported from this environment, or from that of the interpreter given by `--others`. Rows are pieces of
real texts put together to 100 words. One in eight has a copy with some words replaced, and the true Jaccard of the two
(3 words a shingle) is known: on both sides of the threshold, 0.8. Text in, verdicts out; processor seconds of one
thread, and our own filter is timed before and after the others.

    near_over_datasketch    rows/s of near_duplicate / of datasketch: MinHash of 128, MinHashLSH, query and insert
    near_recall             share of the pairs at 0.8 and more of which one is dropped
    near_precision          such pairs / dropped rows
    million_rows_gb         peak memory of the whole process that judges 1,000,000 rows of 100 words
    semantic_over_semhash   rows/s of semantic_duplicate / of semhash, both with the same encoder and its time counted
    semantic_search_over_semhash      the same without the time of the encoder

Prints a table and, as its last line, one JSON object. A comparison that could not be run is an error with its reason.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from distill.context import Context
from distill.engines.embedding import PACKAGE
from distill.filter.bindings import Bindings
from distill.filter.chain import batches
from distill.filter.duplicates.near import NearDuplicate
from distill.filter.duplicates.semantic import SemanticDuplicate
from distill.filter.opener import Opener
from distill.rows import Message, Provenance, Row
from distill.sources.real import Real, read_real
from distill.sources.references import resolve
from distill.words import terms

HERE = Path(__file__).resolve().parent
CHAT = "package:chatterbot_corpus/data/english"
WORDS, PIECE, COPIES = 100, 10, 8
THRESHOLD, SHINGLE = 0.8, 3
ALIKE = 0.9
INSTALL = (
    "python -m venv others && others/bin/pip install datasketch rensa semhash text-dedup datatrove[processing] spacy"
)
FROM = Provenance(source="teacher", origin="bench@1", method="continue", root="bench")


@dataclass(frozen=True)
class Rate:
    name: str
    rows: int
    seconds: float
    recall: float | None = None
    precision: float | None = None

    @property
    def per_second(self) -> float:
        return self.rows / self.seconds


@dataclass(frozen=True)
class Planted:
    texts: list[str]
    near: dict[int, int]
    """Place of a text to that of its near copy."""

    def rate(self, name: str, dropped: Sequence[int] | None, seconds: float) -> Rate:
        if dropped is None:
            return Rate(name, len(self.texts), seconds)
        # Which of two is kept is another question.
        gone = set(dropped)
        found = sum(bool(gone & set(pair)) for pair in self.near.items())
        return Rate(name, len(self.texts), seconds, found / len(self.near), found / max(1, len(gone)))


def words_of(folder: Path | None, cache: Path) -> list[str]:
    """Words of real texts, in their order."""
    found: list[str] = []
    for path in sorted(folder.iterdir()) if folder else []:
        if path.suffix == ".txt":
            found += path.read_text(encoding="utf-8").split()
        elif path.suffix == ".jsonl":
            for line in path.open(encoding="utf-8"):
                found += " ".join(value for value in json.loads(line).values() if isinstance(value, str)).split()
    real = Real(data=CHAT, items="conversations", turns="alternate")
    for row in read_real("chat", real, resolve(CHAT, "data", Path(), Path("runs"), cache)):
        found += [word for message in row.messages for word in message.content.split()]
    return found


def passages(words: Sequence[str], seed: int) -> Iterator[str]:
    """Texts of 100 words without end: pieces of ten words from anywhere."""
    rng = random.Random(seed)
    while True:
        places = [rng.randrange(len(words) - PIECE) for _ in range(WORDS // PIECE)]
        yield " ".join(word for place in places for word in words[place : place + PIECE])


def planted(words: Sequence[str], rows: int) -> Planted:
    """Passages, one in eight followed somewhere by a copy with words replaced."""
    rng = random.Random(1)
    made = passages(words, 2)
    texts: list[tuple[float, str, str | None]] = []
    while len(texts) < rows:
        one, place = next(made), rng.random()
        texts.append((place, one, None))
        if len(texts) % COPIES == 0:
            texts.append((rng.uniform(place, 1), edited(one, words, rng), one))
    texts.sort(key=lambda each: each[0])
    places = {text: at for at, (_, text, _) in enumerate(texts)}
    near = {at: places[of] for at, (_, text, of) in enumerate(texts) if of and true_jaccard(text, of) >= THRESHOLD}
    return Planted([text for _, text, _ in texts], near)


def edited(text: str, words: Sequence[str], rng: random.Random) -> str:
    """The same with one to twelve words replaced by others: a Jaccard from 0.95 to 0.5."""
    found = text.split()
    for place in rng.sample(range(len(found)), rng.randint(1, 12)):
        found[place] = rng.choice(words)
    return " ".join(found)


def true_jaccard(one: str, other: str) -> float:
    a, b = (
        {tuple(found[i : i + SHINGLE]) for i in range(max(1, len(found) - SHINGLE + 1))}
        for found in (terms(one), terms(other))
    )
    return len(a & b) / len(a | b)


def row(text: str) -> Row:
    return Row(kind="text", messages=(Message(role="assistant", content=text),), provenance=FROM)


def seconds() -> float:
    return sum(os.times()[:4])


def ours(data: Planted) -> Rate:
    rows = [row(text) for text in data.texts]
    assert all(each.id for each in rows)  # whoever writes a row needs its id, with or without this filter
    NearDuplicate().bind(Bindings()).judge(rows[:20])
    bound = NearDuplicate(threshold=THRESHOLD, shingle=SHINGLE).bind(Bindings())
    started = seconds()
    kept = [verdict.keep for batch in batches(rows) for verdict in bound.judge(batch)]
    took = seconds() - started
    return data.rate("near_duplicate", [place for place, keep in enumerate(kept) if not keep], took)


def theirs(tool: str, data: Planted, python: str) -> Rate | str:
    order = {"texts": data.texts, "threshold": THRESHOLD, "shingle": SHINGLE}
    said = subprocess.run(
        [python, str(HERE / "with_duplicates.py"), tool],
        input=json.dumps(order),
        capture_output=True,
        text=True,
        check=False,
    )
    if said.returncode:
        reason = (said.stderr.strip() or "it said nothing").splitlines()[-1]
        return f"{tool} could not be run: {reason}; {INSTALL}, and --others others/bin/python"
    found = json.loads(said.stdout.splitlines()[-1])
    return data.rate(f"{tool} {found['version']}", found["dropped"], found["seconds"])


def measure(
    rows: int = 20_000,
    others: str = sys.executable,
    texts: Path | None = None,
    million: bool = False,
    semantic_rows: int = 2_000,
    cache: Path = Path("cache"),
) -> dict[str, Any]:
    """All figures; what could not be had is under `errors`."""
    words = words_of(texts, cache)
    data = planted(words, rows)
    before = show(ours(data))
    tools = {tool: show(theirs(tool, data, others)) for tool in ("datasketch", "rensa", "text-dedup", "datatrove")}
    after = show(ours(data))
    assert isinstance(before, Rate) and isinstance(after, Rate)
    found: dict[str, Any] = {
        "near_rows_per_s": 2 / (1 / before.per_second + 1 / after.per_second),
        "near_recall": before.recall,
        "near_precision": before.precision,
    }
    errors = [error for error in tools.values() if isinstance(error, str)]
    for tool, rate in tools.items():
        if isinstance(rate, Rate):
            name = tool.replace("-", "_")
            found[f"near_over_{name}"] = found["near_rows_per_s"] / rate.per_second
            if rate.recall is not None:
                found |= {f"{name}_recall": rate.recall, f"{name}_precision": rate.precision}
    if million:
        found |= child("million", texts, cache)
    semantic = child("semantic", texts, cache, rows=semantic_rows, python=others)
    errors += [semantic.pop("error")] if "error" in semantic else []
    return {**found, **semantic, "errors": errors}


def child(what: str, texts: Path | None, cache: Path, rows: int = 0, python: str = sys.executable) -> dict[str, Any]:
    """A measurement in a process of its own, so that its memory is its own."""
    options = ["--texts", str(texts)] if texts else []
    command = [python, __file__, "--only", what, "--cache", str(cache), "--rows", str(rows), *options]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    said = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if said.returncode:
        reason = (said.stderr.strip() or "it said nothing").splitlines()[-1]
        return {"error": f"{what} could not be run: {reason}; {INSTALL}, and --others others/bin/python"}
    *lines, last = said.stdout.splitlines()
    print(*lines, sep="\n", flush=True)
    result: dict[str, Any] = json.loads(last)
    return result


def million(words: Sequence[str]) -> dict[str, Any]:
    made = passages(words, 3)
    bound = NearDuplicate().bind(Bindings())
    started, dropped = seconds(), 0
    for batch in batches(row(next(made)) for _ in range(1_000_000)):
        dropped += sum(not verdict.keep for verdict in bound.judge(batch))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    print(f"a million rows: {peak:.2f} GB, {seconds() - started:.0f} s with making them, {dropped} dropped")
    return {"million_rows_gb": peak}


def semantic(words: Sequence[str], rows: int, cache: Path) -> dict[str, Any]:
    """Sentences of about 20 words, one in eight copied with one to six words replaced."""
    from semhash import SemHash
    from sentence_transformers import SentenceTransformer

    rng = random.Random(4)
    texts = [text for text, _ in zip(passages(words, 5), range(rows * COPIES // (COPIES + 1)), strict=False)]
    texts = list(dict.fromkeys(" ".join(text.split()[:20]) for text in texts))
    copied = texts[::COPIES]
    copies = []
    for one in copied:
        found = one.split()
        for place in rng.sample(range(len(found)), rng.randint(1, 6)):
            found[place] = rng.choice(words)
        copies.append(" ".join(found))
    everything = texts + copies
    source = resolve(PACKAGE, "model", Path(), Path("runs"), cache)
    model = SentenceTransformer(str(source.path), local_files_only=True)
    vectors = model.encode(everything, normalize_embeddings=True, show_progress_bar=False)
    pairs = [(len(texts) + i, i * COPIES) for i in range(len(copies))]
    near = {copy: of for copy, of in pairs if vectors[copy] @ vectors[of] >= ALIKE}
    data = Planted(everything, near)

    class Counted:
        """The encoder, with the seconds that it takes."""

        def __init__(self) -> None:
            self.seconds = 0.0

        def encode(self, inputs: Any, **_: Any) -> Any:
            started = seconds()
            made = model.encode(list(inputs), normalize_embeddings=True, show_progress_bar=False)
            self.seconds += seconds() - started
            return made

        def embed(self, texts: Sequence[str]) -> Any:
            return self.encode(texts)

        def close(self) -> None:
            pass

    assert len(set(everything)) == len(everything)
    results: dict[str, tuple[Rate, Rate]] = {}
    for name in ("semantic_duplicate", "semhash"):
        encoder, started = Counted(), seconds()
        if name == "semhash":
            kept = set(SemHash.from_records(everything, model=encoder).self_deduplicate(threshold=ALIKE).selected)
            dropped = [place for place, text in enumerate(everything) if text not in kept]
        else:
            opener = Opener(Context(cache, {PACKAGE: source}))
            opener._opened["embedder", PACKAGE] = encoder
            bound = SemanticDuplicate(threshold=ALIKE).bind(Bindings(open=opener))
            verdicts = [v for batch in batches(map(row, everything)) for v in bound.judge(batch)]
            dropped = [place for place, verdict in enumerate(verdicts) if not verdict.keep]
        took = seconds() - started
        results[name] = (data.rate(name, dropped, took), data.rate(f"{name}, search", dropped, took - encoder.seconds))
        for rate in results[name]:
            show(rate)
    (mine, search), (other, other_search) = results["semantic_duplicate"], results["semhash"]
    return {
        "semantic_over_semhash": mine.per_second / other.per_second,
        "semantic_search_over_semhash": search.per_second / other_search.per_second,
        "semantic_recall": mine.recall,
        "semhash_recall": other.recall,
    }


def show(rate: Rate | str) -> Rate | str:
    if isinstance(rate, str):
        print(rate, flush=True)
    else:
        quality = "" if rate.recall is None else f"   recall {rate.recall:.3f}   precision {rate.precision:.3f}"
        print(f"{rate.name:34} {rate.per_second:10,.0f} rows/s{quality}", flush=True)
    return rate


def main() -> None:
    parser = argparse.ArgumentParser(description="Near and semantic duplicates, beside the tools of others.")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--semantic-rows", type=int, default=2_000)
    parser.add_argument("--million", action="store_true")
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--others", default=sys.executable, help="interpreter that has the tools of others")
    parser.add_argument("--cache", type=Path, default=Path("cache"))
    parser.add_argument("--only", choices=["million", "semantic"], help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only == "million":
        found = million(words_of(options.texts, options.cache))
    elif options.only == "semantic":
        found = semantic(words_of(options.texts, options.cache), options.rows, options.cache)
    else:
        found = measure(
            options.rows, options.others, options.texts, options.million, options.semantic_rows, options.cache
        )
    print(json.dumps(found))


if __name__ == "__main__":
    # One thread each, for the tools of others too.
    os.environ.update(OMP_NUM_THREADS="1", RAYON_NUM_THREADS="1", TOKENIZERS_PARALLELISM="false", HF_HUB_OFFLINE="1")
    main()
