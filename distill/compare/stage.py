"""every arm's items + ledger, mix, log and manifests -> report.json, report.md, report.html, rows.html.

The numbers are made here, once; the first three files are three ways to write one value, the fourth shows the rows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from distill.collapse import found as finding
from distill.collapse.settings import Guard
from distill.compare import browse, diversity, html, markdown, words
from distill.compare.arms import BASE, STUDENT, TEACHER, Arm, read_arms, read_student, summary_of, training_seeds
from distill.compare.attributes import attributes
from distill.compare.calibrated import calibrated
from distill.compare.cost import read_cost, read_environment
from distill.compare.flow import read_data, read_examples, read_training
from distill.compare.forgotten import forgotten
from distill.compare.guarded import guarded
from distill.compare.judged import read_judged
from distill.compare.measure import PER_TOKEN, measure
from distill.compare.price import price
from distill.compare.real_text import last_training, rarest_loss, train_gap
from distill.compare.report import Arm as ArmReport
from distill.compare.report import Counts, Metric, Report
from distill.compare.samples import read_samples
from distill.compare.terms import read_terms
from distill.context import Context
from distill.names import REAL_ONLY
from distill.protocols import Summary
from distill.rows import Frozen
from distill.statistics.forgetting import Forgetting
from distill.terms.input import Input
from distill.terms.named import Named
from distill.terms.named import inputs as terms_of
from distill.terms.registry import Registry, with_own
from distill.terms.settings import Terms

VERSION = 8
COUNTS = ("requested", "scored", "failed")


class Spec(Frozen):
    name: str
    use: str
    """What the student is for: `research`, `commercial`, …"""
    primary: str
    """`<suite>.<metric>` that decides."""
    seed: int
    """Of the resamples."""
    trained: tuple[str, ...] = ("train",)
    """Nodes of the trainings, the last one's student last."""
    terms: Terms = Terms()
    named: tuple[Named, ...] = ()
    """What the recipe names whose terms count."""
    forgetting: Forgetting | None = None
    """What the student should not lose; nothing is asked where there is none."""
    guard: Guard = Guard()
    real_text: tuple[str, ...] = ("heldout_real",)
    """Suites of people's held-out text."""
    held_out: tuple[str, ...] = ("heldout_teacher", "heldout_real")
    """Suites of held-out prompts that are answered."""
    nats: bool = True
    """Whether the loss that was trained on last is nats per token of its rows, as the loss on real rows is."""


def run(spec: Spec, inputs: Mapping[str, Path], out: Path, context: Context) -> Summary:
    """Write the report of a run.

    Raises:
        CompareError: arms that must not be compared, a primary metric that is not there, counts that do not add up.
    """
    if not context.ranks.main:
        return {}
    own = spec.terms.registry
    named = [found for one in spec.named for found in terms_of(one, context.resolved.__getitem__)]
    report = build(spec, inputs, with_own(context.resolved[own].path) if own else None, named)
    text = report.to_json()
    (out / "report.json").write_text(text, encoding="utf-8")
    (out / "report.md").write_text(markdown.render(report), encoding="utf-8")
    (out / "report.html").write_text(html.render(report), encoding="utf-8")
    browse.write(inputs["filter"], spec.name, out)
    primary = report.metrics[spec.primary].gap_recovered
    return {
        "counts": {name: sum(getattr(arm.counts, name) for arm in report.arms.values()) for name in COUNTS},
        "headline": report.headline,
        "primary": primary.model_dump(mode="json", include={"value", "ci95"}),
        "notes": list(report.notes),
    }


def build(
    spec: Spec, inputs: Mapping[str, Path], registry: Registry | None = None, named: Sequence[Input] = ()
) -> Report:
    """Read every input and compute the report.

    Args:
        registry: of terms; the shipped one when not given.
        named: what the recipe names, with what its cards and servers say.
    """
    arms = read_arms(inputs)
    metrics, notes = measure(arms, spec.primary, spec.seed)
    kept, unknown = forgotten(arms, spec.forgetting, metrics, spec.seed)
    sure, unsure = calibrated(arms, spec.seed)
    cost = read_cost(inputs)
    student = read_student(inputs, spec.trained[-1]) or {}
    rows = finding.read(inputs["guard"])
    shares, unshared = attributes(spec.guard.attributes, inputs["filter"], arms, spec.held_out, spec.seed)
    training = read_training(inputs, spec.trained)
    return Report(
        name=spec.name,
        use=spec.use,
        headline=words.headline(spec.primary, metrics[spec.primary]),
        primary=spec.primary,
        arms={arm.name: _arm(arm, student, spec.trained) for arm in arms},
        metrics=metrics,
        data=read_data(inputs),
        terms=read_terms(inputs, spec.use, spec.trained, spec.terms, spec.name, registry, named),
        diversity=diversity.diversity(rows).model_copy(
            update={
                "attributes": shares,
                "rarest": rarest_loss(arms, inputs["filter"] / "real.jsonl", spec.real_text, spec.seed),
                "train_gap": train_gap(last_training(training)) if spec.nats else None,
            }
        ),
        cost=cost,
        environment=read_environment(),
        training=training,
        samples=read_samples(arms, spec.primary),
        examples=read_examples(inputs),
        notes=tuple(dict.fromkeys([*_notes(arms, metrics), *notes, *unknown, *unsure, *unshared, *_upstream(inputs)])),
        seeds=max(1, len(training_seeds(arms))),
        forgetting=tuple(kept),
        calibration=sure,
        price=price(inputs, cost, metrics[spec.primary].gap_recovered),
        guard=guarded(rows, metrics, spec.guard, spec.real_text),
        judge=read_judged(inputs),
    )


def _arm(arm: Arm, student: Mapping[str, Any], trainings: Sequence[str]) -> ArmReport:
    """Who the arm is, with what was done to the model that it is named after."""
    done = "" if arm.name == TEACHER else _done(student)
    trained = "" if arm.name in (TEACHER, BASE) else f", {_trained(arm.name, trainings)}"
    origin = arm.summary.get("model")
    return ArmReport(
        origin=origin and f"{origin}{done}{trained}",
        template=arm.summary["template"],
        tokenizer=arm.tokenizer,
        decoding=arm.summary["decoding"],
        counts=Counts(**{name: arm.summary["counts"][name] for name in COUNTS}),
    )


def _trained(arm: str, trainings: Sequence[str]) -> str:
    """`trained`, `trained, seed 2`, `trained by sft`, `trained by sft, then 50 steps of on_policy`."""
    if arm == REAL_ONLY:
        return "trained on real rows alone"
    arm, _, seed = arm.partition("#")
    if seed:
        return f"{_trained(arm, trainings)}, seed {seed}"
    stem, _, step = arm.partition("@")
    names = [name.partition("/")[2] for name in trainings]
    if len(names) == 1 or stem not in (STUDENT, *names):
        return f"trained for {step} steps" if step else "trained"
    *before, last = names if stem == STUDENT else names[: names.index(stem) + 1]
    return f"trained by {', then '.join([*before, f'{step} steps of {last}' if step else last])}"


def _done(student: Mapping[str, Any]) -> str:
    """What was done to the student's base before training."""
    dropped, bits, adapter = (student.get(name) for name in ("drop_layers", "quantization", "started_on"))
    return "".join(
        [
            f", without layers {', '.join(map(str, dropped))}" if dropped else "",
            f", in {bits}" if bits else "",
            f", with the adapter {adapter['ref']}" if adapter else "",
        ]
    )


def _notes(arms: Sequence[Arm], metrics: Mapping[str, Metric]) -> Iterator[str]:
    """What a careful reader would ask, answered."""
    names = [arm.name for arm in arms]
    for name in (TEACHER, BASE, STUDENT):
        if name not in names:
            yield f"There is no arm {name!r}: the gap recovered is undefined."
    for arm in arms[1:]:
        # An engine without a vocabulary was not measured per token, and has said so itself.
        if None not in (arm.tokenizer, arms[0].tokenizer) and arm.tokenizer != arms[0].tokenizer:
            yield (
                f"{arms[0].name} and {arm.name} have different vocabularies and each its own chat template: "
                f"{', '.join(sorted(PER_TOKEN))} are not compared between them; bits_per_byte is."
            )
    for arm in arms:
        if failed := arm.summary["counts"]["failed"]:
            asked = arm.summary["counts"]["requested"]
            yield f"{failed} of {asked} items failed in {arm.name}: what it could not score is compared in no arm."
    for name, metric in metrics.items():
        if metric.left_out:
            yield f"{name}: {metric.left_out} items that not every arm scored are left out."
    yield from _tested(max(1, len(training_seeds(arms))), metrics)


def _tested(seeds: int, metrics: Mapping[str, Metric]) -> Iterator[str]:
    """What the intervals are over, and which tests there were."""
    if seeds == 1:
        yield "One training seed: intervals are over held-out prompts, and what another seed would give is not in them."
    else:
        yield (
            f"{seeds} training seeds: what is said of the student is of their mean, with intervals over seeds and "
            "prompts; the other arms are one model each."
        )
    others = sum(pair.p_holm is not None for metric in metrics.values() for pair in metric.paired)
    if others == 1:
        yield "The student against the base is tested on the primary metric, and on the first metric of the other suite."
    elif others:
        yield (
            "The student against the base on the primary metric was named before the run and is tested alone. Of the other "
            f"{others} suites the first metric is tested, with Holm's correction for their number; the further metrics of a "
            "suite are no tests of their own."
        )


def _upstream(inputs: Mapping[str, Path]) -> Iterator[str]:
    """What the stages before want seen, with the stage's name."""
    for node, folder in inputs.items():
        yield from (f"{node}: {note}" for note in summary_of(folder).get("notes", ()))
