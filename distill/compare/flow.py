"""ledger and mix summary -> Data: where every requested row went. Counts that do not add up are refused."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.compare.arms import summary_of
from distill.compare.books import MethodBooks, OriginBooks
from distill.compare.report import Data, Example, Point
from distill.errors import CompareError

POINTS = 240
"""Most points of the training curve that are kept."""
CUT = 1200
"""Most characters of one text of a model in the report."""


def read_data(inputs: Mapping[str, Path]) -> Data:
    """The ledger of the teacher's rows and what became of them in the mix.

    Raises:
        CompareError: requested is not kept + dropped + failed + missing, for the teacher's rows or the real ones.
    """
    ledger = _ledger(inputs["filter"])
    for side in ("teacher", "real"):
        _refuse_loss(ledger[side], where=f"{inputs['filter'] / 'ledger.json'} ({side})")
    mix = summary_of(inputs["mix"])
    teacher, counts = ledger["teacher"], mix["counts"]
    return Data(
        requested=teacher["requested"],
        kept=teacher["kept"],
        dropped=_commonest_first(teacher["dropped"]),
        failed=teacher["failed"],
        missing=teacher["missing"],
        real=counts["real"],
        real_fraction=mix["real_fraction"],
        train_rows=counts["train_rows"],
        heldout_rows=counts["heldout_rows"],
        preference_rows=counts.get("preference_rows", 0),
        real_dropped=_commonest_first(ledger["real"]["dropped"]),
        by_method=by_method(inputs.get("generate"), inputs["filter"]),
        by_origin={origin: OriginBooks.model_validate(one) for origin, one in ledger.get("by_origin", {}).items()},
        overlap=ledger.get("overlap", {}),
        changed=changed(ledger),
    )


def changed(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Kept rows that a filter changed, whoever wrote them."""
    counts: Counter[str] = Counter()
    for found in ledger.get("changed", {}).values():
        counts.update(found)
    return _commonest_first(counts)


def by_method(generate: Path | None, filtered: Path) -> dict[str, MethodBooks]:
    """What became of the candidates of each method, and what they cost; empty where generation kept no such books."""
    if generate is None:
        return {}
    accounts: dict[str, Any] = _ledger(filtered)["by_method"]
    spent: dict[str, Any] = summary_of(generate).get("by_method", {})
    return {
        name: MethodBooks(
            requested=account["requested"],
            kept=account["kept"],
            dropped=sum(account["dropped"].values()),
            failed=account["failed"],
            missing=account["missing"],
            tokens=spent[name]["prompt_tokens"] + spent[name]["new_tokens"],
            money=spent[name]["cost"],
        )
        for name, account in accounts.items()
        if name in spent
    }


def read_examples(inputs: Mapping[str, Path]) -> tuple[Example, ...]:
    """One dropped row for each reason, the commonest reason first."""
    ledger = _ledger(inputs["filter"])
    found = ledger["examples"]
    reasons = [*_commonest_first(ledger["teacher"]["dropped"]), *_commonest_first(ledger["real"]["dropped"])]
    return tuple(
        Example(
            reason=reason, **{name: cut(str(found[reason][name] or "")) for name in ("question", "answer", "evidence")}
        )
        for reason in dict.fromkeys(reasons)
        if reason in found
    )


def read_training(inputs: Mapping[str, Path], trained: Sequence[str]) -> dict[str, tuple[Point, ...]]:
    """Training loss by step of each training; empty where nothing was trained."""
    logs = {name: inputs[name] / "log.jsonl" for name in trained if name in inputs}
    return {
        name: _curve(path, summary_of(inputs[name]).get("kept", {}).get("step"))
        for name, path in logs.items()
        if path.exists()
    }


def _curve(path: Path, kept: int | None) -> tuple[Point, ...]:
    """Loss by step, a long run thinned to means over equal stretches; every loss on real rows as it is."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    points = [(int(line["step"]), float(line["loss"])) for line in lines if "loss" in line]
    stretch = -(-len(points) // POINTS) or 1
    parts = [points[start : start + stretch] for start in range(0, len(points), stretch)]
    losses = {part[-1][0]: sum(loss for _, loss in part) / len(part) for part in parts}
    real = {int(line["step"]): float(line["real_loss"]) for line in lines if "real_loss" in line}
    return tuple(
        Point(step=step, loss=losses.get(step), real_loss=real.get(step), kept=step == kept and bool(real))
        for step in sorted({*losses, *real})
    )


def cut(text: str) -> str:
    """The text, or its beginning and how much was left out: the report stays small whatever the models say."""
    return text if len(text) <= CUT else f"{text[:CUT]} … ({len(text) - CUT} more characters)"


def _ledger(folder: Path) -> dict[str, Any]:
    ledger: dict[str, Any] = json.loads((folder / "ledger.json").read_text(encoding="utf-8"))
    return ledger


def _commonest_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _refuse_loss(side: Mapping[str, Any], where: str) -> None:
    dropped = sum(side["dropped"].values())
    accounted = side["kept"] + dropped + side["failed"] + side["missing"]
    if side["requested"] != accounted:
        raise CompareError(
            f"{side['requested']} rows were requested, but {side['kept']} kept + {dropped} dropped + "
            f"{side['failed']} failed + {side['missing']} missing = {accounted}",
            where=where,
            hint="the folder was changed by hand, or this is a bug of distill: run the filter stage again",
        )
