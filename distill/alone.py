"""One stage of a recipe in the processes that accelerate started: what scripts/train.py and its like are."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from distill import compatibility, intent
from distill.launch import asked_for, guarded, make, prepare, ranks
from distill.load import load_recipe
from distill.passing import die_with_parent
from distill.workspace import Workspace


def stage_main(stage: str, arguments: Sequence[str]) -> int:
    """Behind scripts/generate.py, score.py, train.py and evaluate.py: every node of one stage of a recipe, here and now.

    Args:
        stage: `generate` (held-out answers too), `score`, `train`, `evaluate` (every arm) or `judge`.
    """
    parser = argparse.ArgumentParser(description=f"The {stage} stage of a recipe, alone.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides")
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get("DISTILL_CACHE", "cache")))
    options = parser.parse_args(arguments)
    die_with_parent(signal.SIGTERM)  # a launcher that a signal ends does not pass it on

    def work() -> None:
        recipe = load_recipe(options.recipe, options.overrides)
        alone = Workspace(recipe, options.recipe.resolve().parent, options.runs, options.cache)
        if asked := asked_for():
            compatibility.refuse(recipe, [compatibility.Launch(stage, asked[1], asked[0])])
        for line in intent.check(alone) if os.environ.get("RANK", "0") == "0" else ():
            print(line, file=sys.stderr)
        names = [node.name for node in alone.nodes if node.launch == stage]
        prepare(alone, names, int(os.environ.get("RANK", "0")))
        workspace = replace(alone, ranks=ranks())
        if workspace.ranks.main:
            workspace.save_recipe()
        for name in names:
            make(workspace, name)

    return guarded(work)
