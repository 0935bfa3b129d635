"""What a user types: distill COMMAND, each with its options."""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from distill import compatibility, intent, laboratories, results, show, slurm
from distill.engines.serving.slurm import check_submit
from distill.errors import DistillError, LaunchError, NotFetchedError
from distill.launch import guarded
from distill.load import load_recipe
from distill.options import add_command, count, run_folder
from distill.recipe import Recipe, json_schema
from distill.steps import step
from distill.trail import commands as trail
from distill.workspace import Workspace


def main(arguments: Sequence[str] | None = None) -> int:
    """The console command. Returns 0, or 2 after an error the user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # half a surrogate pair can be shown, but not as UTF-8
    parser = _parser()
    options, unknown = parser.parse_known_args(arguments)
    if unknown:  # with the usage of its command, where what there is can be seen
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return guarded(lambda: options.command(options))


FILTER_EXAMPLES = """look, then write; of a file alone, with a chain that needs no model:
  distill filter recipes/filters/file.yaml --rows FILE --preview
  distill filter recipes/filters/file.yaml --rows FILE --out FOLDER
of what a recipe's run has made so far, a threshold tried:
  distill filter RECIPE --preview --set 'filter=[{kind: near_duplicate, threshold: 0.7}]'

FILE: JSON lines, JSON, CSV, Parquet or YAML (.gz too) of question and answer (prompt, instruction, query; response, output,
completion), of messages (role, content), of text, or of rows that distill wrote."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="distill", description="From a recipe to a student model and an honest report."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    check = add_command(
        commands, "check", _check, "read a recipe, follow its references, report every problem; no network"
    )
    plan = add_command(commands, "plan", _plan, "what would be made, and which field is the reason; no network")
    plan.add_argument("--json", action="store_true", help="as JSON")
    fetch = add_command(commands, "fetch", _fetch, "bring models and data from the hub, and lock their revisions")
    run = add_command(commands, "run", _run, "from the recipe to the report; finished stages are taken from the cache")
    run.add_argument("--until", metavar="NODE", help="stop after this node, or `evaluate`: after all arms")
    run.add_argument(
        "--dry-run",
        metavar="N",
        type=count,
        nargs="?",
        const=2,
        help="ask the first N candidates of every method (2), show prompts and answers, estimate the rest, and stop",
    )
    jobs = add_command(
        commands,
        "slurm",
        _slurm,
        "write the jobs of a recipe for Slurm; first `distill fetch` where there is a network",
    )
    jobs.add_argument("--out", metavar="FOLDER", type=Path, help="for the jobs and their logs (default: RUN/slurm)")
    jobs.add_argument("--submit", action="store_true", help="submit them too")
    judge = _filter_command(commands)
    for command in (check, plan, run, jobs):
        command.add_argument(
            "--launch",
            action="append",
            default=[],
            metavar="STAGE=CONFIG",
            help="start a stage by this accelerate configuration, such as train=fsdp2, instead of runtime.launch",
        )
    for command in (check, plan, fetch, run, jobs, judge):
        command.add_argument("recipe", type=Path, help="YAML file; paths in it start from its own folder")
        command.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE", dest="overrides")
    _result_commands(commands)
    laboratories.add(commands)
    trail.add(commands, add_command, run_folder)
    schema = commands.add_parser("schema", help="the JSON Schema of recipes, for editors")
    schema.set_defaults(command=_schema, parser=schema)
    return parser


def _result_commands(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """What is done with runs that are there."""
    shower = add_command(
        commands, "show", _show, "a run: its steps, its rows, its report, the tokens that were trained"
    )
    shower.add_argument("run", help="name or folder of a run, or its recipe")
    shower.add_argument("--rows", metavar="NODE", help="rows of a node, as they are")
    shower.add_argument(
        "--dropped", metavar="REASON", nargs="?", const="", help="dropped rows with reason and evidence"
    )
    shower.add_argument("--tokens", action="store_true", help="training rows token by token, what is learnt marked")
    shower.add_argument(
        "--page", action="store_true", help="write rows.html: rows kept and dropped, to search and read"
    )
    shower.add_argument("-n", type=count, default=3, help="how many rows (default: 3)")
    comparer = add_command(commands, "compare", _compare, "arms of several runs side by side, item by item")
    comparer.add_argument(
        "run",
        nargs="+",
        metavar="RUN[:ARM][@STEP]",
        help="name or folder of a run: its student, another arm of it, or its student at a checkpoint",
    )
    comparer.add_argument(
        "--out", metavar="FILE.html", type=Path, help="for the page (default: compare-….html beside the first run)"
    )
    comparer.add_argument("--json", action="store_true", help="JSON instead of the table; a page only where --out says")
    results.add(commands)


def _filter_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    judge = add_command(
        commands, "filter", _filter, "a recipe's filters over rows that are there: looked at, or written out"
    )
    judge.formatter_class = argparse.RawDescriptionHelpFormatter
    judge.epilog = FILTER_EXAMPLES
    judge.add_argument(
        "--preview",
        metavar="N",
        type=count,
        nargs="?",
        const=1000,
        help="what each filter would drop of N rows (1000), with examples; no rows are written and no model is asked",
    )
    judge.add_argument(
        "--rows", metavar="REF", help="file or folder of rows; a preview's default is what the run has made"
    )
    judge.add_argument(
        "--out", metavar="FOLDER", type=Path, help="write what is kept, what is dropped and the ledger there"
    )
    judge.add_argument("--models", action="store_true", help="in a preview, run filters that ask a model too")
    judge.add_argument(
        "--tasks", metavar="N", type=count, default=0, help="judge the files under --rows by N tasks of datatrove"
    )
    judge.add_argument("--executor", choices=("local", "slurm", "ray"), default="local", help="where the tasks run")
    judge.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        dest="options",
        help="argument of datatrove's executor, such as time=2:00:00 and partition=cpu for Slurm",
    )
    return judge


def _workspace(options: argparse.Namespace, of_file: bool = False) -> Workspace:
    launched = [f"runtime.launch.{text}" for text in getattr(options, "launch", ())]
    recipe = load_recipe(options.recipe, [*options.overrides, *launched], of_file)
    return Workspace(recipe, options.recipe.resolve().parent, options.runs, options.cache)


def _check(options: argparse.Namespace) -> None:
    workspace = _workspace(options)
    recipe = workspace.recipe
    absent = []
    try:
        count = len(workspace.resolved)
    except NotFetchedError as error:
        absent, count = str(error).splitlines(), len(recipe.references)
    compatibility.check(recipe, workspace.base)
    if recipe.runtime.slurm and not absent:
        slurm.check(workspace)
    reviewed = intent.check(workspace)
    for line in (*show.launch_notes(workspace), *show.guard_notes(recipe), *show.judge_notes(recipe), *reviewed):
        print(line)
    print(f"{options.recipe}: ok, {len(workspace.nodes)} steps, {count} references")
    if absent:
        print("\n".join(["not on this machine yet:", *absent]))


def _plan(options: argparse.Namespace) -> None:
    workspace = _workspace(options)
    compatibility.check(workspace.recipe, workspace.base)
    steps = show.steps(workspace)
    print(json.dumps(steps, indent=1) if options.json else show.plan_table(workspace, steps))


def _fetch(options: argparse.Namespace) -> None:
    workspace = _workspace(options)
    for line in workspace.fetch():
        print(line)


def _run(options: argparse.Namespace) -> None:
    workspace = _workspace(options)
    names = [node.name for node in workspace.nodes]
    goals = [name for name in names if options.until in (name, name.split("/")[0], None)]
    if not goals:
        raise DistillError(f"no node {options.until!r}", where="--until", hint=", ".join(names))
    compatibility.check(workspace.recipe, workspace.base)  # an error now, not after hours
    workspace.fetch_missing()
    for line in intent.check(workspace):
        print(line, file=sys.stderr)
    compatibility.check_labels(workspace)
    compatibility.check_tokens(workspace)
    if options.dry_run is not None:
        print(workspace.preview(options.dry_run))
        return
    workspace.save_recipe()
    wanted = {name for goal in goals for name in workspace.wanted(goal)}
    made = [node.name for node in workspace.nodes if node.name in wanted and step(workspace, node.name)]
    if not made:
        print("nothing to do: every step is there")
    if options.until is None:
        print(show.result(workspace))
        show.refuse(workspace)


def _slurm(options: argparse.Namespace) -> None:
    if options.submit:
        check_submit("--submit", "submit from a login node of the cluster: write the jobs, and run submit.sh there")
    workspace = _workspace(options)
    compatibility.check(workspace.recipe, workspace.base)
    intent.check(workspace)
    out = (options.out or workspace.run_folder / "slurm").resolve()
    names = slurm.write(workspace, out)
    if not names:
        print("nothing to do: every step is there")
    elif options.submit:
        _submit(out / "submit.sh")
    else:
        print(f"{len(names)} jobs: {', '.join(names)}\nsubmit them: bash {out / 'submit.sh'}")


def _submit(script: Path) -> None:
    """Raises:
    LaunchError: sbatch refused a job, and said why itself."""
    if subprocess.run(["bash", str(script)], check=False).returncode:
        hint = "change runtime.slurm; what was submitted before it runs, and `distill slurm` writes what is left"
        raise LaunchError("sbatch refused a job, see above", where=str(script), hint=hint)


def _filter(options: argparse.Namespace) -> None:
    from distill import filtering

    if options.preview is None and not (options.rows and options.out):
        hint = "--preview [N] [--rows REF], or --rows REF --out FOLDER"
        raise DistillError("either look at rows or write them out", where="distill filter", hint=hint)
    if options.preview is not None and (options.out or options.tasks):
        raise DistillError(
            "--preview writes nothing: leave out --out and --tasks, or --preview", where="distill filter"
        )
    workspace = _workspace(options, of_file=options.rows is not None)
    workspace.fetch_missing()
    if options.preview is not None:
        print(filtering.preview(workspace, options.preview, options.rows, options.models))
        return
    told = filtering.settings(options.options)
    print(filtering.write(workspace, options.rows, options.out, options.tasks, options.executor, told))


def _show(options: argparse.Namespace) -> None:
    run = run_folder(options.run, options.runs)
    if options.tokens:
        print(show.tokens(run, options.cache, options.n))
    elif options.rows:
        print(show.rows(run, options.rows, options.n))
    elif options.page:
        print(show.page(run))
    elif options.dropped is not None:
        print(show.dropped(run, options.dropped, options.n))
    else:
        print(show.overview(run, options.cache))


def _compare(options: argparse.Namespace) -> None:
    from distill import comparing

    def find(name: str) -> Path:
        return run_folder(name, options.runs)

    print(comparing.told(options.run, find, options.cache, options.out, options.json))


def _schema(_: argparse.Namespace) -> None:
    print(json.dumps(json_schema(), indent=2))


__all__ = ["Recipe", "main"]

if __name__ == "__main__":
    sys.exit(main())
