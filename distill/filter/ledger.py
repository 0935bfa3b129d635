"""The books of a filter stage: every row that was asked for is kept, dropped for a reason, failed or missing.

ledger.json   {"teacher": account, "real": account, "by_method": {method: account}, "by_origin": {origin: origin's},
               "overlap": {"<filter>+<filter>": rows}, "changed": {"teacher": changed, "real": changed},
               "examples": {reason: example}, "notes": what a user should look at}
account       {"requested", "kept", "dropped": {"<filter>.<reason>": rows}, "failed", "missing"}
origin's      {"source", "rows", "kept", "dropped"}: of one data set, or of what one teacher wrote, its yield
overlap       rows that the first filter dropped and the second would have dropped too, where that was looked at
changed       {"<filter>.<change>": rows}: kept rows by what a filter changed in them
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from distill.errors import ArtifactError
from distill.protocols import Judged
from distill.rows import Row, to_json

QUOTA = "quota"
"""Name of the filter that no recipe names: it drops the `surplus` beyond a method's rows."""
ENOUGH = (f"{QUOTA}.surplus", "select.not_chosen", "surprising.not_drawn")
"""Reasons that say nothing against a row."""
COMPARING = ("exact_duplicate", "near_duplicate", "semantic_duplicate", "contamination")
"""Filters whose evidence begins with the id of another row."""
AND = "+"
"""Between the changes that one filter made to one row."""
MUCH = 0.1
"""Share of the judged rows that one row may make duplicates of before it is said."""
MADE_AGAIN = "the folder was changed: remove it, generate makes it again from the answers that are kept"
_EXAMPLE = 300
"""Characters of question and answer in an example."""


@dataclass
class Account:
    """What became of the rows of one source or one method."""

    requested: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    failed: int = 0
    missing: int = 0

    @property
    def judged(self) -> int:
        """Rows that a filter or the quota said something of."""
        return self.kept + self.dropped.total()

    def record(self) -> dict[str, Any]:
        return {**vars(self), "dropped": commonest_first(self.dropped)}

    def counts(self) -> dict[str, int]:
        """The same with all drops in one number."""
        return {**vars(self), "dropped": self.dropped.total()}


@dataclass
class Origin:
    """What became of the rows of one data set or one teacher. What failed before it was a row has no origin."""

    source: str
    """`teacher` or `real`."""
    rows: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)

    def record(self) -> dict[str, Any]:
        return {**vars(self), "dropped": commonest_first(self.dropped)}


@dataclass
class Ledger:
    teacher: Account = field(default_factory=Account)
    real: Account = field(default_factory=Account)
    by_method: dict[str, Account] = field(default_factory=dict)
    by_origin: dict[str, Origin] = field(default_factory=dict)
    overlap: Counter[str] = field(default_factory=Counter)
    changed: dict[str, Counter[str]] = field(default_factory=lambda: {"teacher": Counter(), "real": Counter()})
    """Kept rows by what a filter changed in them; a row in which several things were changed counts for each."""
    examples: dict[str, dict[str, str | None]] = field(default_factory=dict)
    said: list[str] = field(default_factory=list)
    """Notes of the filters themselves."""
    _eaters: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Rows dropped by (filter and reason, id of the row that they were like)."""

    def ask(self, method: str, became: str = "parsed", count: int = 1) -> None:
        """Book rows of a method that were asked for: they were `parsed` and are to be entered, `failed` or are `missing`."""
        for account in (self.teacher, self.by_method.setdefault(method, Account())):
            account.requested += count
            account.failed += count * (became == "failed")
            account.missing += count * (became == "missing")

    def asking(self, rows: Iterable[Row]) -> Iterator[Row]:
        """The rows, each booked as it is read: what is not entered afterwards was lost."""
        for row in rows:
            self.ask(row.provenance.method)
            yield row

    def enter(self, result: Judged, real: bool) -> None:
        """Book one judged row: a real one by itself, a teacher's also under its method; each under its origin."""
        made = result.row.provenance
        origin = self.by_origin.setdefault(made.origin, Origin(made.source))
        origin.rows += 1
        accounts: list[Account | Origin] = [origin, self.real if real else self.teacher]
        if not real:
            accounts.append(self.by_method.setdefault(made.method, Account()))
        if result.verdict.keep:
            self.changed["real" if real else "teacher"].update(changes(result))
            for account in accounts:
                account.kept += 1
            return
        self.overlap.update(f"{result.filter}+{other}" for other in dict.fromkeys(result.also))
        reason = f"{result.filter}.{result.verdict.reason}"
        for account in accounts:
            account.dropped[reason] += 1
        if reason not in self.examples:
            self.examples[reason] = {
                "question": result.row.question[:_EXAMPLE],
                "answer": result.row.answer[:_EXAMPLE],
                "evidence": result.verdict.evidence,
            }
        if result.filter in COMPARING and result.verdict.evidence:
            self._eaters[reason, result.verdict.evidence.partition(":")[0]] += 1

    @property
    def accepted(self) -> int:
        """Teacher rows that all filters passed, those too that were then more than enough."""
        return self.teacher.kept + sum(self.teacher.dropped[reason] for reason in ENOUGH)

    def check(self, asked: Path, hint: str = MADE_AGAIN) -> None:
        """Every account adds up, and those of the methods to the teacher's.

        Args:
            asked: folder that says how many rows there must be.

        Raises:
            ArtifactError: it counts other rows than there are.
        """
        accounts = {**self.by_method, "teacher": self.teacher, "real": self.real}
        for name, account in accounts.items():
            found = account.judged + account.failed + account.missing
            if account.requested != found:
                raise ArtifactError(
                    f"{account.requested} rows of {name} were requested, but {found} are accounted for "
                    f"({account.judged} rows, {account.failed} failed, {account.missing} missing)",
                    where=str(asked),
                    hint=hint,
                )
        for what in ("requested", "kept", "failed", "missing", "judged"):
            whole = sum(getattr(account, what) for account in self.by_method.values())
            assert whole == getattr(self.teacher, what), (what, self)
        origins = self.by_origin.values()
        assert all(one.rows == one.kept + one.dropped.total() for one in origins), self
        assert sum(one.rows for one in origins) == self.teacher.judged + self.real.judged, self

    def notes(self) -> list[str]:
        """What a user should look at: one row that makes many others its duplicates is mostly a template."""
        judged = self.teacher.judged + self.real.judged
        return (
            [
                f"{count} of {judged} rows were dropped as {reason} because of one row, {keeper}: look at them in "
                "dropped.jsonl, they may share a template and still differ in what matters"
                for (reason, keeper), count in self._eaters.most_common()
                if count > MUCH * judged
            ]
            + [
                f"rows of the {source} data that were changed: "
                + ", ".join(f"{n} {what}" for what, n in counts.most_common())
                for source, counts in self.changed.items()
                if counts
            ]
            + self.said
        )

    def write(self, folder: Path) -> None:
        (folder / "ledger.json").write_text(to_json(self.record(), indent=1) + "\n", encoding="utf-8")

    @staticmethod
    def read(folder: Path) -> dict[str, Any]:
        """What was written there."""
        record: dict[str, Any] = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
        return record

    def record(self) -> dict[str, Any]:
        """As `ledger.json` holds it; commonest reasons first."""
        return {
            "teacher": self.teacher.record(),
            "real": self.real.record(),
            "by_method": {method: account.record() for method, account in self.by_method.items()},
            "by_origin": {name: origin.record() for name, origin in self.by_origin.items()},
            "overlap": commonest_first(self.overlap),
            "changed": {source: commonest_first(counts) for source, counts in self.changed.items()},
            "examples": self.examples,
            "notes": self.notes(),
        }


def changes(result: Judged) -> set[str]:
    """What filters changed in a row, as `<filter>.<change>`."""
    split = (
        (kind, each) for kind, _, reason in (one.partition(".") for one in result.changed) for each in reason.split(AND)
    )
    return {f"{kind}.{each}" for kind, each in split}


def commonest_first(counts: Mapping[str, int]) -> dict[str, int]:
    """The counts that are not 0, the same ones by name."""
    return {name: count for name, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count}


def asked_for(generate: Path) -> Ledger:
    """A ledger that holds what generation asked for and what came to nothing; its rows are still to be entered.

    From its manifest, or by counting where there is none, as in a folder that was put together by hand.
    """
    ledger = Ledger()
    manifest = generate / "manifest.json"
    if manifest.is_file():
        summary = json.loads(manifest.read_text(encoding="utf-8"))["summary"]
        ledger.teacher = _account(summary["counts"])
        ledger.by_method = {method: _account(counts) for method, counts in summary["by_method"].items()}
        return ledger
    for method, became in _counted(generate):
        ledger.ask(method, became)
    return ledger


def _account(counts: dict[str, int]) -> Account:
    return Account(counts["requested"], failed=counts["failed"], missing=counts["missing"])


def _counted(generate: Path) -> Iterator[tuple[str, str]]:
    with (generate / "rows.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)["provenance"]["method"], "parsed"
    failures = generate / "failures.jsonl"
    if failures.is_file():
        with failures.open(encoding="utf-8") as file:
            for line in file:
                failure = json.loads(line)
                yield failure["method"], "missing" if failure["reason"] == "missing" else "failed"
