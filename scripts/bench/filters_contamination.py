"""How much contamination is found, how much is imagined, and how fast: verbatim, paraphrased and translated copies of real items.

    .venv/bin/python scripts/bench/filters_contamination.py --data FOLDER [--said said.jsonl] [--no-embedder]

The folder (or the environment's DISTILL_BENCH_DATA) holds, under these names, what others have published:

    gsm8k_train.jsonl                openai/grade-school-math, 1,000 of the train split: {question, answer}
    mt_bench_questions.jsonl         lm-sys/FastChat: {turns}
    tldr_commands.jsonl              tldr-pages/tldr: {instruction, output, command, page}
    wikitext2_valid.txt              WikiText-2
    gsmplus_testmini.jsonl           qtli/GSM-Plus: GSM8K's test items in other words ("problem understanding")
    sociology_test.csv, abstract_algebra_test.csv, and of each …_rephrase_english_filtered_question.jsonl and
    …_chinese_filtered_question.jsonl, humaneval_python.jsonl: data/rephrase of lm-sys/llm-decontaminator, by GPT-4

`--said` adds paraphrases that scripts/bench/paraphrases.py made ({"set", "text", "paraphrase"}; sets chatterbot,
gsm8k_first, gsm8k_second, mt_bench, tldr). Thresholds were tuned on the sets of `tune` and on nothing of `test`; both are
printed. The figures at the end are of `test` with the embedder, but for the speed, which is without. A clean row is one
whose question is not an evaluated one word for word. Each that is dropped counts as false, though some of them ask what is
evaluated (docs/filters/contamination.md has them read by eye).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from contamination_data import BenchError, Data, Pair  # type: ignore[import-not-found]  # beside this script

from distill.context import Context, Resolved, Runtime
from distill.engines.embedding import PACKAGE
from distill.filter.bindings import Bindings
from distill.filter.chain import batches
from distill.filter.contamination.contamination import Contamination, FindEvaluated
from distill.filter.opener import Opener
from distill.rows import Message, Provenance, Row, normalise, root_of
from distill.sources.real import Real, read_real
from distill.sources.references import resolve

ENVIRONMENT = "DISTILL_BENCH_DATA"
ITEMS = 10_000
"""Evaluated items against which the speed is measured."""
SPEED_ROWS = 20_000
FILLER = "I would have to think about that for a while before I say anything."
CHATTERBOT = Real(data="package:chatterbot_corpus/data/english", items="conversations", turns="alternate")


FIGURES = {
    "contamination_rows_per_s": "speed",
    "contamination_recall_verbatim": "verbatim",
    "contamination_recall_paraphrase": "paraphrase",
    "contamination_recall_translation": "translation",
    "contamination_false_positive_rate": "false",
}


@dataclass(frozen=True)
class Side:
    """What is evaluated, what is clean, and copies in other words: `tune` or `test`."""

    evaluated: dict[str, list[Pair]]
    clean: dict[str, list[Row]]
    paraphrased: dict[str, list[str]]
    translated: dict[str, list[str]] = field(default_factory=dict)
    changed: dict[str, list[str]] = field(default_factory=dict)
    """Evaluated problems with other numbers: other problems, or near copies, as one likes."""

    def rows(self) -> list[Row]:
        return [chat(pair.question, pair.answer) for pairs in self.evaluated.values() for pair in pairs]

    def clean_rows(self) -> dict[str, list[Row]]:
        """Without those that ask, word for word, what is evaluated: "Display help" stands on many pages."""
        asked = {normalise(pair.question) for pairs in self.evaluated.values() for pair in pairs}
        return {
            name: [row for row in rows if normalise(row.question) not in asked] for name, rows in self.clean.items()
        }


def chat(*turns: str) -> Row:
    said = turns if turns[-1] else turns[:-1]
    messages = tuple(Message(role="assistant" if i % 2 else "user", content=text) for i, text in enumerate(said))
    provenance = Provenance(source="real", origin="bench@1", method="real", root=root_of(messages))
    return Row(kind="chat" if len(said) % 2 == 0 else "prompt", messages=messages, provenance=provenance)


def text(content: str) -> Row:
    messages = (Message(role="assistant", content=content),)
    provenance = Provenance(source="real", origin="bench@1", method="real", root=root_of(messages))
    return Row(kind="text", messages=messages, provenance=provenance)


def chatterbot() -> list[Row]:
    with tempfile.TemporaryDirectory() as cache:
        return list(read_real("chat", CHATTERBOT, resolve(CHATTERBOT.data, "data", Path(), Path(), Path(cache))))


def tune(data: Data) -> Side:
    gsm8k, small_talk = data.gsm8k(), chatterbot()
    plus, algebra = data.gsm_plus("problem understanding", 0), data.mmlu("abstract_algebra", ENGLISH)
    said = data.said("chatterbot", "gsm8k_first")
    return Side(
        {
            "GSM8K, first quarter": gsm8k[:250],
            "GSM-Plus": [Pair(before) for before, _ in plus],
            "MMLU algebra": [Pair(before) for before, _ in algebra],
            "said": [Pair(before) for pairs in said.values() for before, _ in pairs],
        },
        {
            "GSM8K, second quarter": [chat(pair.question, pair.answer) for pair in gsm8k[250:500]],
            "chatterbot-corpus": small_talk,
            "WikiText-2, first half": [text(line) for line in data.wikitext()[::2]],
        },
        {"GSM-Plus": [b for _, b in plus], "MMLU algebra": [b for _, b in algebra]}
        | {name: [b for _, b in pairs] for name, pairs in said.items()},
        {"MMLU algebra in Chinese": [b for _, b in data.mmlu("abstract_algebra", CHINESE)]},
        {"GSM-Plus": [b for _, b in data.gsm_plus("numerical substitution", 0)]},
    )


HELD_OUT = ("gsm8k_second", "mt_bench", "tldr")
ENGLISH, CHINESE = "rephrase_english_filtered_question", "chinese_filtered_question"


def _texts(said: dict[str, list[tuple[str, str]]]) -> set[str]:
    return {before for pairs in said.values() for before, _ in pairs}


def test(data: Data) -> Side:
    gsm8k = data.gsm8k()
    plus, sociology = data.gsm_plus("problem understanding", 1), data.mmlu("sociology", ENGLISH)
    said, abroad = data.said(*HELD_OUT), data.said(*HELD_OUT, translated=True)
    asked = _texts(said) | _texts(abroad)
    return Side(
        {
            "GSM8K, third quarter": gsm8k[500:750],
            "MT-Bench": data.mt_bench(),
            "tldr-pages, every second command": data.tldr(0),
            "HumanEval": data.human_eval(),
            "GSM-Plus": [Pair(before) for before, _ in plus],
            "MMLU sociology": [Pair(before) for before, _ in sociology],
            "said": [Pair(before) for before in sorted(asked)],
        },
        {
            "GSM8K, fourth quarter": [chat(pair.question, pair.answer) for pair in gsm8k[750:]],
            "tldr-pages, the other commands": [chat(pair.question, pair.answer) for pair in data.tldr(1, asked)],
            "WikiText-2, second half": [text(line) for line in data.wikitext()[1::2]],
        },
        {"GSM-Plus": [b for _, b in plus], "MMLU sociology": [b for _, b in sociology]}
        | {name: [b for _, b in pairs] for name, pairs in said.items()}
        | {CODE: [line["text"] for line in data.lines("humaneval_python.jsonl")]},
        {"MMLU sociology in Chinese": [b for _, b in data.mmlu("sociology", CHINESE)]}
        | {name: [b for _, b in pairs] for name, pairs in abroad.items()},
        {"GSM-Plus": [b for _, b in data.gsm_plus("numerical substitution", 1)]},
    )


CODE = "HumanEval, solved and rewritten"
"""Whole programs with other names and another structure: answers in other words, which nothing looks for. Shown apart."""

COPIES: dict[str, Callable[[Pair], Row | None]] = {
    "whole row": lambda pair: chat(pair.question, pair.answer or FILLER),
    "question, other answer": lambda pair: chat(pair.question, FILLER),
    "question in capitals": lambda pair: chat(pair.question.upper(), FILLER),
    "question, other spaces and signs": lambda pair: chat("«" + "  ".join(pair.question.split()) + "»…", FILLER),
    "question in a longer one": lambda pair: chat(
        f"Here is something for you; take your time.\n\n{pair.question}\n\nThen say how sure you are.", FILLER
    ),
    "question as a later turn": lambda pair: chat("Hello there!", "Hello, what can I do?", pair.question, FILLER),
    "question told by the assistant": lambda pair: chat("Ask me something.", f"Gladly. Here it is: {pair.question}"),
    "answer alone": lambda pair: chat("Show me how it is done.", pair.answer) if pair.answer else None,
}


def bound(side: Side, embedder: bool, opener: Opener) -> FindEvaluated:
    spec = Contamination(embedder=PACKAGE if embedder else None)
    return spec.bind(Bindings(evaluated=side.rows(), open=opener))


def share(found: FindEvaluated, rows: Sequence[Row]) -> float:
    """Of the rows, those that are dropped."""
    dropped = sum(not verdict.keep for batch in batches(rows) for verdict in found.judge(batch))
    return dropped / len(rows)


def report(name: str, side: Side, opener: Opener, embedder: bool) -> dict[str, float]:
    """Print what is found of one side, and return the pooled shares."""
    plain, full = bound(side, False, opener), bound(side, embedder, opener)
    print(f"\n{name}: {sum(map(len, side.evaluated.values())):,} items are evaluated")
    figures: dict[str, float] = {}

    def line(what: str, rows: Sequence[Row]) -> tuple[int, float]:
        shares = share(plain, rows), share(full, rows)
        print(f"  {what:<72} {len(rows):>6,} {shares[0]:>8.1%} {shares[1]:>8.1%}")
        return len(rows), shares[1]

    def pool(key: str, title: str, parts: dict[str, list[Row]], left_out: tuple[str, ...] = ()) -> None:
        print(f" {title:<73} {'rows':>6} {'words':>8} {'+vectors' if embedder else '':>8}")
        measured = {part: line(part, rows) for part, rows in parts.items() if rows}
        counted = [each for part, each in measured.items() if part not in left_out]
        figures[key] = sum(count * each for count, each in counted) / max(sum(count for count, _ in counted), 1)

    pool("verbatim", "found of verbatim copies", dict(_copies(side)), tuple(n for n, _ in _copies(side) if "*" in n))
    pool("paraphrase", "found of paraphrases", _asked(side.paraphrased), (CODE,))
    pool("translation", "found of translations", _asked(side.translated))
    pool("changed", "found of problems with other numbers", _asked(side.changed))
    pool("false", "dropped of clean rows", side.clean_rows())
    print("  together: " + ", ".join(f"{key} {value:.2%}" for key, value in figures.items()))
    return figures


def _asked(parts: dict[str, list[str]]) -> dict[str, list[Row]]:
    return {name: [chat(question, FILLER) for question in texts] for name, texts in parts.items()}


def _copies(side: Side) -> Iterator[tuple[str, list[Row]]]:
    """Copies by kind, of items of four words or more; what is shorter is found as a whole alone, and shown apart (*)."""
    pairs = [pair for pairs in side.evaluated.values() for pair in pairs]
    short = [pair for pair in pairs if len(pair.question.split()) < 4]
    for kind, copy in COPIES.items():
        least = 8 if "told" in kind else 4
        if kind == "answer alone":
            yield kind, [row for pair in pairs if len(pair.answer.split()) >= 8 and (row := copy(pair))]
            continue
        yield kind, [row for pair in pairs if len(pair.question.split()) >= least and (row := copy(pair))]
        if short:
            yield f"* {kind}, of less than four words", [row for pair in short if (row := copy(pair))]


def speed(data: Data) -> tuple[float, float]:
    """Clean rows a second, and rows a second of which each is contaminated, against 10,000 items; one core, no model."""
    gsm8k, wikitext = data.gsm8k(), data.wikitext()
    pool = [*gsm8k[:500], *data.tldr(0), *data.mt_bench(), *data.human_eval()]
    pool += [Pair(line["question"], line["solution"]) for line in data.lines("gsmplus_testmini.jsonl")]
    sentences = [part.strip() for line in wikitext for part in line.split(" . ") if len(part.split()) > 6]
    items = [chat(pair.question, pair.answer) for pair in pool]
    items += [text(sentence) for sentence in sentences[: ITEMS - len(items)]]
    if len(items) < ITEMS:
        raise BenchError(f"{len(items)} items to evaluate, not {ITEMS:,}")
    found = Contamination().bind(Bindings(evaluated=items))
    clean = [chat(pair.question, pair.answer) for pair in (*gsm8k[500:], *data.tldr(1))]
    dirty = [chat(f"Solve this. {pair.question} Be brief.", pair.answer) for pair in gsm8k[:500]]

    def rate(rows: list[Row]) -> float:
        many = (rows * (SPEED_ROWS // len(rows) + 1))[:SPEED_ROWS]
        parts = list(batches(many))
        found.judge(parts[0])
        started = time.process_time()
        for part in parts:
            found.judge(part)
        return len(many) / (time.process_time() - started)

    words = [len(f"{row.question} {row.answer}".split()) for row in clean]
    print(f"\nspeed: {len(items):,} items, rows of {sum(words) / len(words):.0f} words on average")
    return rate(clean), rate(dirty)


def measure(
    folder: Path | None = None, said: Path | None = None, embedder: bool = True, cache: Path | None = None
) -> dict[str, float | str]:
    """Figures by name; of one that could not be measured the reason."""
    place = folder or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    if place is None:
        return dict.fromkeys(FIGURES, f"error: no folder of data; give --data or set {ENVIRONMENT}")
    data = Data(place, said)
    figures: dict[str, float | str] = {}
    try:
        clean, dirty = speed(data)
        print(f"  {clean:,.0f} clean rows a second, {dirty:,.0f} contaminated ones")
        figures["contamination_rows_per_s"] = round(clean)
        with tempfile.TemporaryDirectory() as own:
            opener = _opener(cache or Path(own))
            report("tune", tune(data), opener, embedder)
            found = report("test", test(data), opener, embedder)
        figures |= {name: round(found[key], 4) for name, key in FIGURES.items() if key in found}
    except BenchError as error:
        figures |= {name: f"error: {error}" for name in FIGURES if name not in figures}
    return figures


def _opener(cache: Path) -> Opener:
    source: Resolved = resolve(PACKAGE, "model", Path(), Path(), cache)
    return Opener(Context(cache, {PACKAGE: source}, Runtime()))


def main() -> None:
    parser = argparse.ArgumentParser(description="Recall, false positives and speed of the contamination filter.")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--said", type=Path)
    parser.add_argument("--no-embedder", action="store_true")
    parser.add_argument("--cache", type=Path, help="folder where vectors are kept from one run to the next")
    options = parser.parse_args()
    figures = measure(options.data, options.said, not options.no_embedder, options.cache)
    print(json.dumps(figures))
    if any(isinstance(figure, str) for figure in figures.values()):
        sys.exit(1)


if __name__ == "__main__":
    main()
