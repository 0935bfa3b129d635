"""distill trace | withdraw | verify | terms: their options, and what they print."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from distill import intent
from distill.errors import DistillError
from distill.terms.input import USES
from distill.trail.row import life
from distill.trail.source import offspring, unknown
from distill.trail.steps import open_run
from distill.trail.told import made_of, told
from distill.trail.verify import checked, verify
from distill.trail.withdraw import exclude, withdraw
from distill.trail.withdraw import told as in_words
from distill.workspace import reopen

Find = Callable[[str, Path], Path]
"""Name or folder of a run, and the folder of runs -> its folder."""


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    command: Callable[..., argparse.ArgumentParser],
    find: Find,
) -> None:
    """Add the commands.

    Args:
        command: makes one, with the options that all have.
    """
    tracer = command(
        commands,
        "trace",
        lambda options: _trace(options, find),
        "where a row came from; or all rows made from a source",
    )
    tracer.add_argument("run", help="name or folder of a run, or its recipe")
    tracer.add_argument("row", nargs="?", help="id of a row")
    tracer.add_argument(
        "--source",
        metavar="REF",
        help="all rows made from a data set or model: its name in the recipe, or its reference",
    )
    tracer.add_argument(
        "--root", metavar="DOCUMENT", help="all rows made from a document or prompt: its id, its root, or what it says"
    )
    tracer.add_argument("-n", type=int, default=3, help="ids that are shown of each file (default: 3)")
    tracer.add_argument("--json", action="store_true", help="as JSON")
    withdrawer = command(
        commands,
        "withdraw",
        lambda options: _withdraw(options, find),
        "what stands on a source that may no longer be used, and what to do; nothing is removed",
    )
    withdrawer.add_argument("run", help="name or folder of a run, or its recipe")
    withdrawer.add_argument("source", nargs="?", help="a data set or model: its name in the recipe, or its reference")
    withdrawer.add_argument(
        "--root", metavar="DOCUMENT", help="a document or prompt: its id, its root, or what it says"
    )
    withdrawer.add_argument(
        "--exclude", metavar="FILE", type=Path, help="add its roots to this file, for `split.without` in the recipe"
    )
    withdrawer.add_argument("--json", action="store_true", help="as JSON")
    verifier = command(
        commands, "verify", lambda options: _verify(options, find), "every file of a run against its manifest"
    )
    verifier.add_argument("run", help="name or folder of a run, its recipe, or the folder of an exported student")
    verifier.add_argument("--json", action="store_true", help="as JSON")
    judge = command(
        commands,
        "terms",
        _terms,
        "whether a student may be what a recipe says, with reasons; exit status 2 where it may not",
    )
    judge.add_argument("what", help="a recipe, a run, or a reference to a model")
    judge.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides")
    judge.add_argument("--use", choices=USES, help="instead of the recipe's; for a model: redistribute")
    judge.add_argument("--json", action="store_true", help="as JSON")


def _withdraw(options: argparse.Namespace, find: Find) -> None:
    if (options.source is None) == (options.root is None):
        hint = "distill withdraw --help"
        raise DistillError("one of SOURCE and --root is wanted", where="distill withdraw", hint=hint)
    run = open_run(find(options.run, options.runs), options.cache)
    found = withdraw(run, options.root if options.source is None else options.source, options.source is None)
    if options.exclude is not None:
        if not found.roots:
            hint = "it is a model, or a whole data set: change the recipe as it is said without --exclude"
            raise DistillError("there is no prompt or document to leave out", where="--exclude", hint=hint)
        exclude(options.exclude, found)
    print(
        json.dumps(found.model_dump(mode="json"), indent=1)
        if options.json
        else in_words(found, run.name, made_of(found.found))
    )


def _verify(options: argparse.Namespace, find: Find) -> None:
    folder = find(options.run, options.runs)
    found = verify(folder)
    if options.json:
        print(json.dumps(found.model_dump(mode="json"), indent=1))
    said = checked(folder, found)
    if not options.json:
        print(said)


def _terms(options: argparse.Namespace) -> None:
    found = intent.of(options.what, options.use, options.runs, options.cache, options.overrides)
    print(json.dumps(found.model_dump(mode="json"), indent=1) if options.json else intent.table(found))
    intent.refuse(options.what, found)


def _trace(options: argparse.Namespace, find: Find) -> None:
    if sum(value is not None for value in (options.row, options.source, options.root)) != 1:
        raise DistillError(
            "one of ROW, --source and --root is wanted", where="distill trace", hint="distill trace --help"
        )
    run = open_run(find(options.run, options.runs), options.cache)
    if options.row is not None:
        row = life(run, options.row, intent.registry(reopen(run.folder, options.cache)))
        print(json.dumps(row.model_dump(mode="json"), indent=1, ensure_ascii=False) if options.json else told(row))
        return
    source = options.root if options.source is None else options.source
    found, _ = offspring(run, source, options.source is None, options.n)
    if found.empty:
        raise unknown(run, source)
    print(json.dumps(found.model_dump(mode="json"), indent=1) if options.json else made_of(found))
