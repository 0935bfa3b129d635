"""Many tasks over shards keep what one process keeps, byte for byte, whatever the order of filters and of tasks."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from distill.context import Context
from distill.errors import ArtifactError, DistillError, LaunchError
from distill.filter import alone as alone_module
from distill.filter import executors, shards
from distill.filter.chain import AnyFilter, Chain
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate, NearDuplicate
from distill.filter.given import Given
from distill.filter.ledger import Ledger
from distill.filter.privacy.privacy import Privacy
from distill.filter.shards import Books, Job, Phase
from distill.filter.stage import Spec, bindings
from distill.filter.text.finished import Finished
from distill.filter.text.refusal import Refusal
from distill.filter.text.repetition import Repetition
from distill.filter.verification.mathematics import Math
from distill.filter.written import Written
from distill.rows import Row, read_rows, write_rows
from tests.filter.make import chat

CHAIN: tuple[AnyFilter, ...] = (
    Finished(), Repetition(), ExactDuplicate(), NearDuplicate(), Refusal(), Contamination(), ExactDuplicate(on="answer"),
)  # fmt: skip
CHAINS = [CHAIN, CHAIN[::-1], CHAIN[:2], CHAIN[2:4], (*CHAIN[2:], Privacy(action="redact")), ()]


def made() -> list[Row]:
    """Rows of which each filter drops some, the copies far apart."""
    rows = [
        chat(f"question number {n} of all", f"The answer to it is the number {n}, and {n * 7} besides.")
        for n in range(40)
    ]
    rows[7] = chat("why", "so so so so so so so so so so so so so so so so so so so so so so so so so so so so")
    rows[9] = chat("cut", "and then", finish="length")
    rows[11] = chat("may I", "I'm sorry, but as an AI language model I cannot help with that.")
    rows[20] = chat("Whom do I ask?", "Write to jane.roe@example-mail.com about it, and say so.")
    rows[21] = chat("Whom do I ask then?", "Write to john.doe@example-mail.com about it, and say so.")
    long = " ".join(f"word{n}" for n in range(40))
    rows[12], rows[33] = chat(long, long), chat(f"{long} more", f"{long} more")
    rows[30], rows[31], rows[35] = (
        rows[2],
        chat("Question number 3 of all!", rows[3].answer),
        chat("asked in a test", "no"),
    )
    return rows


def job(root: Path, chain: tuple[AnyFilter, ...], count: int = 5) -> Job:
    rows, folder = made(), root / "shards"
    split = root / "split"
    for path in (folder, split / "heldout"):
        path.mkdir(parents=True, exist_ok=True)
    write_rows(split / "heldout" / "chat.jsonl", [chat("asked in a test")])
    for number in range(count):
        write_rows(folder / f"{number}.jsonl", rows[number * 40 // count : (number + 1) * 40 // count])
    spec = Spec(filter=chain, rows=1, shares={"answer": 1.0}, min_yield=0, student=None)
    context = Context(root / "cache", {})
    return Job(spec, {"split": split}, context, Given(folder, "f@1"), root / "out")


def alone(this: Job, out: Path) -> dict[str, bytes]:
    """What one process writes."""
    ledger = Ledger()
    out.mkdir()
    with Written(out, ledger, ("kept", "dropped")) as written:
        for result in Chain(this.spec.filter, bindings(this.spec, this.inputs, this.context)).judge(this.given):
            ledger.ask(result.row.provenance.method)
            written.enter(result)
    ledger.write(out)
    return files(out)


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("chain", CHAINS, ids=["whole", "backwards", "alone", "sets", "privacy last", "empty"])
@pytest.mark.parametrize("tasks", [1, 3, 8])
def test_tasks_keep_what_one_process_keeps(
    tmp_path: Path, chain: tuple[AnyFilter, ...], tasks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PART_ROWS", 7)
    this: Job = pickle.loads(pickle.dumps(job(tmp_path, chain)))
    for number, (_, _, many) in enumerate(this.phases):
        for rank in reversed(range(tasks if many else 1)):
            Phase(this, number)(None, rank, tasks if many else 1)
    given_up = this.work.with_name(".out.0123456789ab")
    given_up.mkdir()
    Books(this)()
    assert not given_up.exists() and this.work.exists()
    expected = alone(this, tmp_path / "alone")
    assert files(this.out) == expected and set(expected) == {"kept.jsonl", "dropped.jsonl", "ledger.json"}
    if chain == CHAIN:
        account = Ledger.read(this.out)["teacher"]
        assert len(account["dropped"]) == 6 and account["kept"] == 33 and account["requested"] == 40


def test_filters_that_follow_each_other_share_a_phase(tmp_path: Path) -> None:
    assert job(tmp_path, CHAIN).phases == [(0, 2, True), (2, 4, False), (4, 6, True), (6, 7, False)]
    assert job(tmp_path, ()).phases == []
    assert job(tmp_path, (NearDuplicate(), Finished(), Privacy())).phases == [(0, 1, True), (1, 2, False), (2, 3, True)]


def test_another_chain_or_other_rows_have_another_folder(tmp_path: Path) -> None:
    one = job(tmp_path, CHAIN)
    other = Job(one.spec, one.inputs, one.context, Given(one.given.path, "f@2"), one.out)
    assert len({one.work, job(tmp_path, CHAIN[:1]).work, other.work}) == 3
    assert job(tmp_path, CHAIN).work == one.work


def judged(this: Job, tasks: int = 3) -> None:
    """All phases, but not the last step."""
    for number, (_, _, many) in enumerate(this.phases):
        for rank in range(tasks if many else 1):
            Phase(this, number)(None, rank, tasks if many else 1)


@pytest.mark.parametrize(
    ("lost", "message"),
    [
        ("3/000002.jsonl", "40 rows of teacher were requested, but 33 are accounted for|40 rows of answer"),
        ("0/000001.json", "filters finished, repetition: 4 of 5 parts are there"),
        ("0/000004.*", "filters finished, repetition: 4 of 5 parts are there"),
        ("2/000000.*", "filters refusal, contamination: 5 of 6 parts are there"),
    ],
)
def test_parts_that_are_lost_are_an_error(
    tmp_path: Path, lost: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "PART_ROWS", 7)
    judged(this := job(tmp_path, CHAIN))
    for path in list(this.work.glob(lost)):
        path.unlink()
    with pytest.raises(ArtifactError, match=message):
        Books(this)()
    assert not this.out.exists()


def test_what_is_lost_before_it_is_read_again_is_an_error_too(tmp_path: Path) -> None:
    this = job(tmp_path, (Finished(), ExactDuplicate()))
    Phase(this, 0)()
    (this.work / "0" / "000001.jsonl").unlink()
    Phase(this, 1)()
    with pytest.raises(ArtifactError, match="40 rows of answer were requested, but 32 are accounted for"):
        Books(this)()


def test_notes_of_filters_reach_the_books(tmp_path: Path) -> None:
    one, many = (job(tmp_path / str(count), (Math(), Finished()), count) for count in (1, 5))
    for this, said in (
        (one, "math: none of 40 rows had"),
        (many, "math: none of 8 rows had"),
    ):
        judged(this)
        Books(this)()
        (note,) = Ledger.read(this.out)["notes"]
        assert note.startswith(said) and ("4 others say the like" in note) == (this is many)


def test_notes_that_differ_in_more_than_numbers_stay() -> None:
    notes = ["a: none of 3 rows had it", "a: 2 of 1,000 rows had it", "b: 2 of 3 rows had it", "a: 50% of 4 were kept"]
    assert shards.joined(notes) == [f"{notes[0]} (of one part; 1 others say the like)", *notes[2:]]


@pytest.mark.distributed
def test_datatroves_workers_keep_what_one_process_keeps(tmp_path: Path) -> None:
    pytest.importorskip("datatrove")
    this = job(tmp_path, CHAIN)
    assert shards.run(this, 4, "local", {"workers": 3}) == ""
    assert files(this.out) == alone(this, tmp_path / "alone")
    assert not this.work.exists(), "parts are gone"
    write_rows(this.given.shards[0], [chat("another", "row")])
    assert shards.run(this, 2, "local", {}) == ""
    assert next(read_rows(this.out / "kept.jsonl")).question == "another", "a second run is a run"


CLUSTER = {
    "sbatch": """
        echo "$@" >> {notes}
        for script; do :; done
        last=$(sed -n 's/^#SBATCH --array=0-\\([0-9]*\\).*/\\1/p' "$script")
        for task in $(seq 0 "$last"); do
            SLURM_ARRAY_TASK_ID=$task SLURM_NODELIST=here RUN_OFFSET=0 bash "$script" >> {notes}.log 2>&1 || exit 1
        done
        echo Submitted batch job $(wc -l < {notes})
    """,
    "srun": 'shift 3; exec "$@"',
    "scontrol": "echo here",
}
"""A cluster of this machine: it runs what it is given at once, task after task."""


@pytest.mark.distributed
def test_slurm_is_given_a_job_for_each_phase_after_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The batch files are run, by a scheduler of a few lines: no real one has seen them."""
    pytest.importorskip("datatrove")
    notes, commands = tmp_path / "notes", tmp_path / "bin"
    commands.mkdir()
    for name, text in CLUSTER.items():
        (commands / name).write_text(f"#!/bin/bash\n{text.replace('{notes}', str(notes))}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    this = job(tmp_path, CHAIN[:4])
    told = shards.run(this, 3, "slurm", {"time": "1:00:00", "partition": "cpu"})
    assert told.startswith("submitted 3 jobs"), (tmp_path / "notes.log").read_text()
    submitted = [line for line in notes.read_text().splitlines() if "RUN_OFFSET" in line]
    assert len(submitted) == 3 and all("afterok" in line for line in submitted[1:])
    scripts = [(this.work / "logs" / str(n) / "launch_script.slurm").read_text() for n in range(3)]
    assert "#SBATCH --array=0-2\n" in scripts[0] and "#SBATCH --array=0-0\n" in scripts[1]
    assert all("#SBATCH --partition=cpu\n" in script and "#SBATCH --time=1:00:00\n" in script for script in scripts)
    assert files(this.out) == alone(this, tmp_path / "alone")
    assert not (tmp_path / ".out.lock").exists(), "the last task lets go"


def test_jobs_that_wait_at_slurm_hold_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_run", lambda *_: SimpleNamespace(job_id=17))
    monkeypatch.setattr(executors, "executor", lambda _: object)
    monkeypatch.setattr(alone_module, "_queued", lambda job: job == "17")
    this = job(tmp_path, CHAIN[:4])
    assert shards.run(this, 3, "slurm", {}).startswith("submitted 3 jobs, the last is 17")
    with pytest.raises(DistillError, match=f"another job is filtering into {this.out}"):
        shards.run(this, 3, "slurm", {})


@pytest.mark.parametrize(
    ("executor", "options", "message"),
    [
        ("slurm", {}, "no `sbatch` on this machine"),
        ("local", {"partition": "cpu"}, "LocalPipelineExecutor has no such option\n.*there are: workers,"),
        ("local", {"workers": "abc"}, "--option workers: 'abc' is not a whole number"),
        ("local", {"workers": True}, "--option workers: True is not a whole number"),
        ("local", {"workers": 0}, "--option workers: 0 is less than 1"),
        ("local", {"workers": -2}, "--option workers: -2 is less than 1"),
        ("local", {"start_method": "abc"}, "--option start_method: no 'abc'; there are: "),
        ("local", {"logging_dir": ""}, "--option logging_dir: is not for you to say"),
        ("ray", {}, "pip install datatrove ray"),
    ],
)
def test_what_cannot_be_started_is_said(
    tmp_path: Path, executor: str, options: dict[str, Any], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datatrove")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(LaunchError, match=message):
        shards.run(job(tmp_path, CHAIN), 2, executor, options)


def test_without_datatrove_it_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "datatrove.executor.local", None)
    with pytest.raises(LaunchError, match=r"pip install datatrove"):
        shards.run(job(tmp_path, CHAIN), 2, "local", {})
