"""The panel's time and memory on 100,000 rows, and how often the gate sees data that were made poorer on purpose.

    .venv/bin/python scripts/bench/panel.py --data FOLDER [--rows 100000] [--texts 240] [--seeds 3] [--well 10] [--sets A,B=WHERE]

Time: a run whose mix has so many rows, a quarter of them people's; rows are read from files, as `guard` reads them. Power: of
each set two random parts that have no text in common, one of them made poorer in four ways at three strengths each, or left as
it is (a false alarm); two parts without a subject in common are told apart. The limits are the shipped ones, which were set on
`english` and `wikitext`; `tldr` and `gsm8k` were looked at too, the sets by default were not. FOLDER has gsm8k_train.jsonl,
tldr_commands.jsonl and wikitext2_valid.txt (filters_contamination.py says from where); WHERE is as in `panel_data.KNOWN`. Rows of
one subject, and sets as they are, are held together by an embedder too, all else by words alone. Prints tables and, as its last
line, one JSON object.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from panel_data import DEGRADED, Corpus, Texts, one_topic, opened, parts, subjects  # type: ignore[import-not-found]  # beside this script

from distill.collapse.gate import Limits, alarms
from distill.collapse.panel import Panel, panel
from distill.collapse.sample import draw
from distill.context import Context
from distill.engines.embedding import PACKAGE, open_embedder
from distill.protocols import Embedder
from distill.rows import Message, Provenance, Row, read_rows, root_of, to_line
from distill.sources.references import resolve
from distill.statistics.shares import wilson

PARTS = {"real": 0.25, "teacher": 0.75, "mix": 1.0}
"""Share of the rows that each corpus has."""
WORDS = 80
UNSEEN = "gsm8k-questions,tldr-lines,chinese,japanese,korean,persian"
"""Sets that nobody looked at while limits, measures and ways of making texts poorer were chosen."""
SUBJECTS = 4
"""Of a set of fewer, two parts without a subject in common are nearly the same two every time."""
AS_IT_IS, BY_SUBJECT = "as it is", "by subject"
Answers = dict[tuple[str, float], list[bool]]
"""What was done and how strongly -> whether there was an alarm, draw by draw."""


def rows(count: int, source: str, seed: int) -> Iterator[Row]:
    """Texts of words whose frequency falls with their rank, as that of people's words does."""
    rng = np.random.default_rng(seed)
    made = Provenance(source="real" if source == "real" else "teacher", origin="bench@1", method="bench", root="0" * 16)
    for number in range(count):
        said = " ".join(f"w{word}" for word in np.minimum(rng.zipf(1.2, rng.integers(WORDS // 2, 2 * WORDS)), 10**6))
        asked = (Message(role="user", content=f"What of {number}?"), Message(role="assistant", content=said))
        own = made.model_copy(update={"root": root_of(asked[:1])})
        yield Row(kind="chat", messages=asked, provenance=own)


def write(folder: Path, count: int) -> None:
    for seed, (name, share) in enumerate(PARTS.items()):
        with (folder / f"{name}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(to_line(row) for row in rows(round(share * count), name, seed))


def measure(folder: Path) -> None:
    """In a process of its own: seconds and bytes as a line of JSON."""
    start = time.perf_counter()
    drawn = {name: draw(read_rows(folder / f"{name}.jsonl"), 0) for name in PARTS}
    read = time.perf_counter() - start
    found = panel(
        {name: one.texts for name, one in drawn.items()}, "real", 0, {name: one.lengths for name, one in drawn.items()}
    )
    assert found is not None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(
        json.dumps(
            {
                "read": read,
                "seconds": time.perf_counter() - start,
                "own": time.process_time(),
                "peak_gb": peak,
                "words": found.words,
            }
        )
    )


def timed(count: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), count)
        said = subprocess.run(
            [sys.executable, __file__, "--measure", folder], check=True, capture_output=True, text=True
        ).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def asked(corpus: Corpus, texts: int, seed: int, embedder: Embedder, more: bool) -> Iterator[tuple[str, float, Panel]]:
    """The set as it is (strength 0), by lot and by subject, and everything that is done to it.

    Args:
        more: what is done to it too.
    """

    def made(real: Texts, poorer: Texts, by: Embedder | None) -> Panel:
        found = panel({"real": real, "mix": poorer}, "real", seed, embedder=by)
        assert found is not None
        return found

    real, other = parts(corpus, texts, np.random.default_rng([seed, 7]))
    yield AS_IT_IS, 0.0, made(real, other, embedder)
    if len(set(corpus.topics)) >= SUBJECTS:
        one, another = parts(corpus, texts, np.random.default_rng([seed, 13]), by_subject=True)
        yield BY_SUBJECT, 0.0, made(one, another, embedder)
    for name, (degrade, strengths) in DEGRADED.items() if more else ():
        for strength in strengths if degrade is not one_topic or subjects(corpus) else ():
            poorer = degrade(corpus, other, strength, np.random.default_rng([seed, 11]))
            yield name, strength, made(real, poorer, embedder if degrade is one_topic else None)


def power(own: argparse.Namespace, embedder: Embedder) -> tuple[float, float]:
    """Prints every answer; the shares of poorer sets that were seen, and of sets as they are that were taken for poorer."""
    seen: dict[str, Answers] = {}
    for at in own.sets.split(","):
        name, corpus = at.partition("=")[0], opened(at, own.data)
        answers = seen.setdefault(f"{name} ({min(own.texts, len(corpus.texts) // 2)})", {})
        for seed in range(max(own.seeds, own.well)):
            for kind, strength, found in asked(corpus, own.texts, seed, embedder, seed < own.seeds):
                said = alarms(found, Limits())
                answers.setdefault((kind, strength), []).append(bool(said))
                print(f"{name:11} {kind:11} {strength:4} {', '.join(one.measure for one in said) or '–'}", flush=True)
    print(table(seen))
    return told(seen, DEGRADED)[0], told(seen, (AS_IT_IS,))[0]


def told(seen: dict[str, Answers], kinds: Iterable[str]) -> tuple[float, str]:
    """The share of answers of some kinds that are an alarm, and its words."""
    found = [one for answers in seen.values() for (kind, _), own in answers.items() if kind in kinds for one in own]
    if not found:
        return math.nan, "–"
    low, high = wilson(sum(found), len(found))
    return sum(found) / len(found), f"{sum(found)} of {len(found)} [{low:.2f}, {high:.2f}]"


def table(seen: dict[str, Answers]) -> str:
    """In markdown: a set's row has what was seen of each way from weak to strong, then what was taken for poorer and is not."""
    kinds = (*DEGRADED, AS_IT_IS, BY_SUBJECT)
    lines = [f"| set (texts of a part) | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, answers in seen.items():
        cells = [
            ", ".join(f"{sum(own)}" for (of, _), own in answers.items() if of == kind)
            + "".join({f" of {len(own)}" for (of, _), own in answers.items() if of == kind})
            for kind in kinds
        ]
        lines.append(f"| {name} | {' | '.join(cell or '–' for cell in cells)} |")
    lines.append(f"| all | {' | '.join(told(seen, (kind,))[1] for kind in kinds)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--texts", type=int, default=240)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--well", type=int, default=10, help="draws of every set as it is")
    parser.add_argument("--sets", default=UNSEEN, help="NAME or NAME=WHERE, with commas between them")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    own = parser.parse_args()
    if own.measure:
        measure(own.measure)
        return
    cost = timed(own.rows)
    times = f"{cost['seconds']:.1f} s, of which reading {cost['read']:.1f} s; {cost['own']:.1f} s of processor time"
    print(f"{own.rows:,} rows in the mix: {times}", flush=True)
    print(f"{cost['peak_gb']:.2f} GB", flush=True)
    figures = {"seconds_100k_rows": round(cost["seconds"], 1), "peak_gb": round(cost["peak_gb"], 2)}
    with tempfile.TemporaryDirectory() as cache:
        here = Path(cache)
        embedder = open_embedder(resolve(PACKAGE, "model", here, here, here), Context(here, {}))
        hits, false = power(own, embedder)
        embedder.close()
    print(json.dumps({**figures, "gate_hit_rate": round(hits, 3), "gate_false_alarm_rate": round(false, 3)}))


if __name__ == "__main__":
    main()
