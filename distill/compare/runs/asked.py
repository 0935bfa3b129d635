"""arms of several runs -> the suites and items that all were asked alike; what was not is left out with a sentence.

The first arm that is named decides what is compared: its suites, its items, their decoding and its chat template. An
item is the same where suite, id and the hash of all that was asked agree (`arms.Item.content`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from distill.compare.arms import BASE, TEACHER, Arm, Key
from distill.errors import CompareError

Role = Literal["teacher", "base", "chosen"]
REFERENCES: tuple[Role, ...] = (TEACHER, BASE)  # type: ignore[assignment]
NOT_ITS_MANNER = "items"
"""Of a suite's decoding, what says how many items are answered and not how."""


@dataclass(frozen=True)
class Run:
    """A finished run, and which of its arms are wanted."""

    name: str
    chosen: Mapping[str, Arm]
    """By the label that the reader knows it by."""
    seeds: Mapping[str, Sequence[Arm]]
    """Further trainings of a chosen arm that differ from it in their seed alone, by its label."""
    references: Mapping[str, Arm]
    """Its teacher and its base, as far as they were evaluated."""
    steps: Mapping[int, Arm] = field(default_factory=dict)
    """Checkpoints of its student that were evaluated, and the student itself, by step."""
    trainings: Mapping[str, Path] = field(default_factory=dict)
    """Folder of each training, in their order."""


@dataclass(frozen=True)
class Entry:
    """An arm that is compared."""

    label: str
    run: str
    role: Role
    arm: Arm
    teacher: str | None
    """Label of its run's teacher, which it is measured against; None where that was not evaluated."""
    base: str | None
    seeds: tuple[Arm, ...] = ()
    """Further trainings of it that differ in their seed alone."""

    @property
    def arms(self) -> tuple[Arm, ...]:
        """Of every training seed."""
        return (self.arm, *self.seeds)

    def has(self, key: Key, metric: str) -> bool:
        """Whether an item was scored in every seed."""
        return all(metric in arm.items[key].metrics for arm in self.arms)


@dataclass(frozen=True)
class Together:
    entries: tuple[Entry, ...]
    """Teachers, bases, then the chosen in the order they were named."""
    suites: Mapping[str, Mapping[str, frozenset[Key]]]
    """Suite -> label -> its items that were asked as the first arm's were."""
    runs: tuple[Run, ...]
    notes: tuple[str, ...]

    @property
    def chosen(self) -> list[Entry]:
        return [entry for entry in self.entries if entry.role == "chosen"]

    def shared(self, suite: str) -> frozenset[Key]:
        """Items that all arms of a suite were asked alike."""
        return frozenset.intersection(*self.suites[suite].values())


def together(runs: Sequence[Run], order: Sequence[str]) -> Together:
    """What can be compared of these runs.

    Args:
        order: labels of the arms that are wanted, as they were named.

    Raises:
        CompareError: of several arms at most one is left, or no suite is.
    """
    entries = _entries(runs, order)
    notes: list[str] = []
    first = next(entry for entry in entries if entry.role == "chosen")
    kept = [first]
    for entry in (entry for entry in entries if entry is not first):
        why = next(filter(None, (_refused(other, entry) for other in kept)), None)
        if why is None:
            kept.append(entry)
        else:
            notes.append(f"{entry.label} is left out: {why}.")
    wanted = sum(entry.role == "chosen" for entry in entries)
    _enough(kept, wanted, notes)
    suites = dict(_suites(first, kept, wanted, notes))
    if not suites:
        raise CompareError("\n  ".join(["nothing to compare", *notes]), hint="evaluate both on the same held-out rows")
    answering = {label for asked in suites.values() for label in asked}
    kept = [entry for entry in entries if entry in kept and entry.label in answering]
    _enough(kept, wanted, notes)
    return Together(tuple(kept), suites, tuple(runs), tuple(dict.fromkeys(notes)))


def _enough(kept: Sequence[Entry], wanted: int, notes: Sequence[str]) -> None:
    if sum(entry.role == "chosen" for entry in kept) < min(2, wanted):
        raise CompareError(
            "\n  ".join(["nothing to compare", *notes]), hint="evaluate every run with the same settings and template"
        )


def _entries(runs: Sequence[Run], order: Sequence[str]) -> list[Entry]:
    """All arms with their labels: a teacher or a base that several runs share is there once."""
    labels: dict[tuple[str, str], str] = {}
    shown: list[Entry] = []
    for role in REFERENCES:
        distinct: list[tuple[str, Arm]] = []
        for run in runs:
            if role not in run.references:
                continue
            arm = run.references[role]
            same = next((name for name, other in distinct if alike(other, arm)), None)
            if same is None:
                distinct.append((run.name, arm))
            labels[run.name, role] = same or run.name
        named = {name: _label(name, role, arm, len(distinct), runs) for name, arm in distinct}
        labels.update({key: named[name] for key, name in labels.items() if key[1] == role})
        explicit = {label for run in runs for label in run.chosen}
        shown += [
            Entry(named[name], name, role, arm, labels.get((name, TEACHER)), None)
            for name, arm in distinct
            if named[name] not in explicit
        ]
    chosen = [
        Entry(
            label,
            run.name,
            "chosen",
            arm,
            labels.get((run.name, TEACHER)),
            labels.get((run.name, BASE)),
            tuple(run.seeds.get(label, ())),
        )
        for run in runs
        for label, arm in run.chosen.items()
    ]
    return [*shown, *sorted(chosen, key=lambda entry: order.index(entry.label))]


def _label(name: str, role: Role, arm: Arm, count: int, runs: Sequence[Run]) -> str:
    """What was named by hand keeps that name; else `teacher`, and where runs differ in it `RUN:teacher`."""
    by_hand = (label for run in runs for label, one in run.chosen.items() if one is arm)
    return next(by_hand, role if count == 1 else f"{name}:{role}")


def alike(a: Arm, b: Arm) -> bool:
    """Whether two arms are the same model on the same items: what both were asked has the same scores to the last digit."""
    if a is b:
        return True
    if any(a.summary.get(name) != b.summary.get(name) for name in ("model", "template", "tokenizer")):
        return False
    shared = [key for key in a.items if key in b.items and a.items[key].content == b.items[key].content]
    return bool(shared) and all(a.items[key].metrics == b.items[key].metrics for key in shared)


def _refused(first: Entry, other: Entry) -> str | None:
    """Why two arms must not stand side by side at all."""
    a, b = first.arm, other.arm
    if a.tokenizer == b.tokenizer and a.summary["template"] != b.summary["template"]:
        return (
            f"it was asked with chat template {b.summary['template']}, and {first.label}, of the same vocabulary, with "
            f"{a.summary['template']}"
        )
    thinking = [arm.summary["decoding"].get("thinking") for arm in (a, b)]
    if thinking[0] != thinking[1]:
        return f"it was evaluated with thinking {thinking[1]}, and {first.label} with thinking {thinking[0]}"
    return None


def _suites(
    first: Entry, kept: Sequence[Entry], wanted: int, notes: list[str]
) -> Iterator[tuple[str, dict[str, frozenset[Key]]]]:
    """Each suite of the first arm with the arms that were asked it alike; notes say who was not, and why."""
    left_out: dict[str, list[str]] = {}
    for suite in dict.fromkeys(key[0] for key in first.arm.items):
        own = [key for key in first.arm.items if key[0] == suite]
        found = {entry.label: _asked(suite, own, first, entry) for entry in kept}
        asked = {label: keys for label, keys in found.items() if isinstance(keys, frozenset)}
        against = {entry.label: f"{entry.label} {why}" for entry in kept if isinstance(why := found[entry.label], str)}
        chosen = {entry.label for entry in kept if entry.role == "chosen"}
        if len(chosen & asked.keys()) < min(2, wanted):
            left_out.setdefault(", ".join(why for label, why in against.items() if label in chosen), []).append(suite)
            continue
        shared = frozenset.intersection(*asked.values())
        if not shared:
            left_out.setdefault(f"no item was asked of all of {', '.join(asked)}", []).append(suite)
            continue
        notes += [f"{suite}: {why} and is left out of it." for why in against.values()]
        if len(shared) < len(own):
            notes.append(f"{suite}: {len(shared)} of {first.label}'s {len(own)} items were asked of all alike.")
        yield suite, asked
    others = {key[0] for entry in kept for key in entry.arm.items} - {key[0] for key in first.arm.items}
    if others:
        left_out[f"{first.label}, which was named first, was not asked it"] = sorted(others)
    notes += [f"{', '.join(suites)} left out: {why}." for why, suites in left_out.items()]


def _asked(suite: str, own: Sequence[Key], first: Entry, entry: Entry) -> frozenset[Key] | str:
    """The items of a suite that an arm was asked as the first was, or what stands against it."""
    shared = frozenset(own)
    for arm in entry.arms:
        a, b = (_manner(one.summary["decoding"].get(suite)) for one in (first.arm, arm))
        if a and b and a != b:
            return f"answered with {_words(b, a)}, not {_words(a, b)} as {first.label}"
        theirs = arm.items
        if not any(key[0] == suite for key in theirs):
            return "was not asked it"
        shared &= {key for key in own if key in theirs and theirs[key].content == first.arm.items[key].content}
    return shared or f"was asked none of the items of {first.label}"


def _manner(decoding: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (decoding or {}).items() if name != NOT_ITS_MANNER}


def _words(decoding: Mapping[str, Any], other: Mapping[str, Any]) -> str:
    """What of it differs from the other."""
    names = [name for name in {**decoding, **other} if decoding.get(name) != other.get(name)]
    return ", ".join(f"{name} {decoding.get(name)}" for name in names)
