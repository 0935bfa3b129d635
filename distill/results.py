"""distill evaluate | export | push: what is done with the student of a run that is there."""

from __future__ import annotations

import argparse
from pathlib import Path

from distill import show
from distill.options import add_command, count, run_folder


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Their parsers."""
    evaluator = add_command(
        commands,
        "evaluate",
        _evaluate,
        "the checkpoints of a run's training as arms `student@STEP`, by the recipe's suites",
    )
    evaluator.add_argument("run", help="name or folder of a run, or its recipe")
    evaluator.add_argument(
        "--watch", action="store_true", help="each one as it is written, until the training has ended; on any machine"
    )
    exporter = add_command(commands, "export", _export, "a run's student as a folder that others load")
    exporter.add_argument("run", help="name or folder of a run, or its recipe")
    exporter.add_argument("out", type=Path, help="new folder")
    exporter.add_argument("--node", metavar="NODE", help="training whose student it is (default: the last)")
    exporter.add_argument("--step", metavar="N", type=count, help="a checkpoint instead of the end")
    exporter.add_argument(
        "--format", choices=("adapter", "merged"), help="the adapter beside its base (default), or all in one model"
    )
    _add_push(commands)


def _add_push(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    pusher = add_command(
        commands, "push", _push, "a run's student, report and rows to the Hub; private unless told otherwise"
    )
    pusher.add_argument("run", help="name or folder of a run, or its recipe")
    pusher.add_argument("repo", nargs="?", help="ORGANISATION/NAME for the student, its card and the report")
    pusher.add_argument("--data", metavar="REPO", help="ORGANISATION/NAME for the rows and their card")
    pusher.add_argument("--node", metavar="NODE", help="training whose student it is (default: the last)")
    pusher.add_argument("--step", metavar="N", type=count, help="a checkpoint instead of the end")
    pusher.add_argument(
        "--format",
        choices=("adapter", "merged"),
        help="default: the adapter where its base is a model of the Hub, else all in one model",
    )
    pusher.add_argument("--public", action="store_true", help="for everybody to see")
    pusher.add_argument("--dry-run", action="store_true", help="list what would be pushed, and stop; no network")


def _evaluate(options: argparse.Namespace) -> None:
    from distill import watching

    workspace = watching.evaluate(run_folder(options.run, options.runs), options.cache, options.watch)
    print(show.curves(workspace))


def _push(options: argparse.Namespace) -> None:
    from distill import push

    run = run_folder(options.run, options.runs)
    asked = push.Asked(options.repo, options.data, options.node, options.step, options.format)
    with push.parcels(run, options.cache, asked) as parcels:
        print("\n".join(parcel.listed() for parcel in parcels), flush=True)
        print(push.permitted(run, options.cache, parcels, options.public), flush=True)
        for parcel in () if options.dry_run else parcels:
            print(f"pushed: {push.upload(parcel, run, not options.public)}", flush=True)


def _export(options: argparse.Namespace) -> None:
    from distill.export import export

    run = run_folder(options.run, options.runs)
    print(export(run, options.out, options.cache, options.node, options.step, options.format))
