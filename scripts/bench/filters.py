"""All figures of the filters, each part in a process of its own: duplicates, contamination, the families that read a text.

    .venv/bin/python scripts/bench/filters.py --data FOLDER [--million] [--others PYTHON] [--said FILE]

The parts stand alone too, and say what they take: filters_text.py, filters_duplicates.py, filters_contamination.py beside
this file. Prints their tables and, as its last line, one JSON object with the figures of all. A part that fails is an
error with its reason, after the others have run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> int:
    parser = argparse.ArgumentParser(description="All figures of the filters.")
    parser.add_argument("--data", type=Path, required=True, help="folder of real data (see filters_contamination.py)")
    parser.add_argument("--said", type=Path, help="paraphrases that paraphrases.py made")
    parser.add_argument("--others", help="Python of an environment that has the tools of others")
    parser.add_argument("--million", action="store_true", help="also the memory of a million rows")
    given = parser.parse_args()
    parts = {
        "filters_text.py": [],
        "filters_duplicates.py": [
            *("--texts", str(given.data)),
            *(["--others", given.others] if given.others else []),
            *(["--million"] if given.million else []),
        ],
        "filters_contamination.py": ["--data", str(given.data), *(["--said", str(given.said)] if given.said else [])],
    }
    figures: dict[str, float] = {}
    failed: list[str] = []
    for name, arguments in parts.items():
        print(f"\n== {name}", flush=True)
        done = subprocess.run(
            [sys.executable, str(HERE / name), *arguments], stdout=subprocess.PIPE, text=True, check=False
        )
        *table, last = done.stdout.rstrip().splitlines() or [""]
        print("\n".join(table), flush=True)
        if done.returncode:
            print(last)
            failed.append(f"{name} (exit status {done.returncode})")
        else:
            figures |= json.loads(last)
    if failed:
        print(f"not measured: {', '.join(failed)}; the reasons are above", file=sys.stderr)
    print(json.dumps(figures))
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
