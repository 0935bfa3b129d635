"""a recipe -> the combinations in it that no single spec can see: unknown names, unfit models, what cannot be measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

from distill.engines.layers import LeastMissed
from distill.engines.open import scores
from distill.engines.teacher import MAIN
from distill.evaluate.settings import Evaluate
from distill.filter.models.measured import Measured
from distill.filter.text.length import Length
from distill.names import REAL_ONLY
from distill.problems import nearest
from distill.recipe import Recipe
from distill.recipe_file import KeyPath
from distill.sources.real import PEOPLE

LAUNCHED = ("generate", "filter", "score", "train", "evaluate", "judge")
"""Stages that may have processes of their own."""


def inconsistencies(recipe: Recipe, of_file: bool = False) -> Iterator[tuple[KeyPath, str]]:
    """Combinations that no spec can see alone."""
    yield from _unknown_names(recipe)
    yield from _unfit_models(recipe)
    yield from _repeated_names(recipe)
    yield from _unmixable(recipe)
    if not of_file:
        yield from _unknown_scores(recipe)
    yield from _misplaced_filters(recipe)
    if recipe.benchmark and recipe.split.held_out_prompts == 0:
        yield ("split", "held_out_prompts"), "0 leaves nothing that a benchmark could start from"
    if recipe.student is not None:
        yield from _unteachable(recipe)
        yield from _unmeasurable(recipe)
        yield from _unscored(recipe)
        yield from _unjudgeable(recipe)
        yield from _incomparable(recipe)
    yield from _unservable(recipe)
    stated: dict[str, tuple[str, ...]] = {}
    for ref, terms in recipe.stated_terms:
        if terms and stated.setdefault(ref, terms) != terms:
            yield (), f"{ref} is given two different sets of terms: {', '.join(stated[ref])} and {', '.join(terms)}"
    for index, part in enumerate(recipe.filter):
        if isinstance(part, Length) and part.counts_tokens and recipe.student is None:
            tokens = "min_tokens: null, max_tokens: null"
            yield (
                ("filter", index),
                f"tokens are counted by the student's tokenizer, and there is no student: write {tokens}",
            )
    for stage in recipe.runtime.launch:
        if stage not in LAUNCHED:
            yield ("runtime", "launch", stage), f"no such stage; {nearest(stage, list(LAUNCHED))}"
    jobs = [*LAUNCHED, "report", "all"]
    for stage in recipe.runtime.slurm:
        if stage not in jobs:
            yield ("runtime", "slurm", stage), f"no such stage; {nearest(stage, jobs)}"


def _unknown_names(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Names of data sets that are none, or whose rows a method cannot start from."""
    known = sorted(recipe.real)
    for place, method in recipe.methods:
        for name in method.reads:
            field = next((key for key, value in method if value == name), "kind")
            where = (*place, field)
            if name not in recipe.real:
                yield where, f"no data set {name!r} under real; {nearest(name, known)}"
            elif not recipe.real[name].kinds & method.takes(name):
                takes, holds = " or ".join(sorted(method.takes(name))), " or ".join(sorted(recipe.real[name].kinds))
                yield where, f"{method.kind} starts from rows of kind {takes}; {name!r} holds rows of kind {holds}"


def _unfit_models(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Names of teachers that are none, that nobody asks, or that cannot do what is asked of them."""
    known = sorted(recipe.cast)
    if MAIN in recipe.teachers:
        yield ("teachers", MAIN), f"`{MAIN}` is the name of the recipe's own teacher; choose another"
    for where, method in recipe.methods:
        for name in (method.teacher or MAIN, *method.asks):
            if name not in recipe.cast:
                yield where, f"no model {name!r} under teachers; {nearest(name, known)}"
        for name in method.scored_by:
            if name in recipe.cast and not scores(recipe.cast[name].engine):
                yield where, f"the engine of {name!r} gives no token probabilities; score by one with `transformers`"
    for name in recipe.teachers:
        if name not in (*recipe.asked, *recipe.examined, *recipe.judging, *recipe.comparing):
            yield ("teachers", name), "no method, no filter and no judge asks this model"
    for index, part in enumerate(recipe.filter):
        for name in part.asks:
            if name not in recipe.cast:
                yield ("filter", index), f"no model {name!r} under teachers; {nearest(name, known)}"
    confirm = recipe.benchmark.confirm if recipe.benchmark else None
    if confirm is not None and confirm not in recipe.cast:
        yield ("benchmark", "confirm"), f"no model {confirm!r} under teachers; {nearest(confirm, known)}"
    for name in recipe.runtime.servers:
        if name not in recipe.cast:
            yield ("runtime", "servers", name), f"no such teacher; {nearest(name, known)}"
    asking = (("generate", recipe.generate, recipe.asked), ("benchmark", recipe.benchmark, recipe.examined))
    for section, wanted, asked in asking:
        if wanted and wanted.budget.cost and not any(map(recipe.charges, asked)):
            yield (section, "budget", "cost"), f"no teacher that {section} asks costs money: they run on this machine"


def _repeated_names(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    teaching = [name for name, real in recipe.real.items() if real.teaches]
    named = recipe.student.drop_layers if recipe.student else ()
    layers = () if isinstance(named, LeastMissed) else named
    for path, values in (
        (("student", "drop_layers"), layers),
        (("evaluate", "suites"), [suite.label for suite in recipe.evaluate.suites]),
        (("evaluate", "checkpoints"), recipe.evaluate.checkpoints),
        (("mix", "earlier"), recipe.mix.references),
        (
            ("evaluate", "forgetting", "metrics"),
            recipe.evaluate.forgetting.metrics if recipe.evaluate.forgetting else (),
        ),
    ):
        if repeated := _repeated(values):
            yield path, f"named twice: {', '.join(map(str, repeated))}"
    if recipe.mix.real_fraction > 0 and not teaching:
        yield (
            ("mix", "real_fraction"),
            f"{recipe.mix.real_fraction:g} asks for real rows (0.25 unless the recipe says otherwise), but no data set under "
            "real has answers or texts; set it to 0",
        )


def _unmixable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Proportions that cannot be had, found before the teacher is asked."""
    mix, taught = recipe.mix, recipe.generate.taught
    made = mix.rows - round(mix.real_fraction * mix.rows) if mix.rows else 0
    if made > taught and not mix.earlier:
        yield (
            ("mix", "rows"),
            f"{mix.rows} rows, {mix.real_fraction:g} of them real, take {made} of the teacher's, and generate.rows makes {taught}",
        )
    if not recipe.teaches and (others := [one.objective for one in recipe.trainings if one.objective == "preference"]):
        yield ("mix", "real_fraction"), f"1 is real rows alone, and {others[0]} learns from what the teacher writes"


def _misplaced_filters(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A choice that is not the last, and two scores of one name."""
    for index, part in enumerate(recipe.filter):
        after = ", ".join(other.kind for other in recipe.filter[index + 1 :] if not other.FIRST)
        if part.CHOOSES and after:
            yield ("filter", index), f"{part.kind} must be the last filter: {after} would drop what was chosen"
    wanted = math.ceil(recipe.generate.rows * max((part.candidates for part in recipe.filter), default=1.0))
    if recipe.generate.candidates < wanted:
        yield (
            ("generate", "budget", "candidates"),
            f"{recipe.generate.candidates} candidates are fewer than the {wanted} accepted rows that are chosen from",
        )
    labels = [part.label for part in recipe.filter if isinstance(part, Measured)]
    for index, part in enumerate(recipe.filter):
        if isinstance(part, Measured) and part.label in _repeated(labels):
            yield ("filter", index), f"another filter's score is called {part.label!r} too; give each a `name`"


def _unknown_scores(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Scores that a filter goes by and that nothing before it gives: that would be found out when all rows are paid for."""
    known = {PEOPLE, *(name for method in recipe.generate.methods for name in method.SCORES)}
    for index, part in enumerate(recipe.filter):
        for name in part.believes:
            if name not in known:
                later = any(isinstance(other, Measured) and other.label == name for other in recipe.filter[index:])
                why = "is given by a filter after it: change their order" if later else nearest(name, sorted(known))
                yield ("filter", index, "by"), f"the score {name!r}, which nothing before {part.kind} gives; {why}"
        if isinstance(part, Measured):
            known.add(part.label)


def _repeated(values: Sequence[object]) -> list[object]:
    return sorted({value for value in values if values.count(value) > 1}, key=str)


def _unteachable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Trainings with nothing to learn from, or with a teacher that cannot be asked while the student learns."""
    objectives = [training.objective for training in recipe.trainings]
    named = ", ".join(method.name for method in recipe.generate.methods)
    if not recipe.generate.taught and (taught := [one for one in objectives if one != "preference"]):
        yield (
            ("generate", "methods"),
            f"{named}: only preferences, from which {taught[0]} learns nothing; add a method that writes answers or texts, "
            "train by `objective: preference` alone, or leave out `student` to make the data alone",
        )
    if recipe.generate.taught == recipe.generate.rows and "preference" in objectives:
        yield (
            ("train", *_place(recipe, "preference")),
            f"preference learns from pairs of answers, and {named} makes none; add the method `rank`",
        )
    engine = recipe.teacher.engine.kind
    for training in recipe.trainings:
        if training.TEACHER and engine != "transformers":
            yield (
                ("train", *_place(recipe, training.objective)),
                f"{training.objective} asks the teacher at every token that the student writes, and the engine `{engine}` "
                "cannot say; write teacher: {engine: {kind: transformers}}, or train by `sft` on its answers",
            )


def _place(recipe: Recipe, objective: str) -> KeyPath:
    """Where an objective stands under `train`."""
    objectives: list[str] = [training.objective for training in recipe.trainings]
    return (objectives.index(objective),) if isinstance(recipe.train, tuple) else ()


def _unscored(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A training on the teacher's probabilities, of which it gives none."""
    for index, training in enumerate(recipe.trainings):
        if training.SCORED and not scores(recipe.teacher.engine):
            place: KeyPath = ("train", index) if isinstance(recipe.train, tuple) else ("train",)
            yield (
                (*place, "objective"),
                f"{training.objective} learns from token probabilities, and the engine `{recipe.teacher.engine.kind}` gives "
                "none that could be kept; write teacher: {engine: {kind: transformers}}, or objective: sft",
            )


def _unmeasurable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    evaluate = recipe.evaluate
    label, _, metric = evaluate.primary.partition(".")
    unknown = _no_metric(evaluate, evaluate.primary)
    if unknown:
        yield ("evaluate", "primary"), unknown
    elif (asks := {suite.label: suite.ASKS for suite in evaluate.suites}[label]) in ("choices", "model") or (
        asks == "likelihood" and metric != "chrf"
    ):
        yield from _mute(recipe, metric)
    for place, name in enumerate(evaluate.forgetting.metrics if evaluate.forgetting else ()):
        if unknown := _no_metric(evaluate, name):
            yield ("evaluate", "forgetting", "metrics", place), unknown
    kinds = {suite.kind for suite in evaluate.suites}
    if "heldout_real" in kinds and not any(real.answered for real in recipe.real.values()):
        yield ("evaluate", "suites"), "heldout_real needs answers, and no data set under real has any: leave it out"
    if "heldout_text" in kinds and not any("text" in real.kinds for real in recipe.real.values()):
        yield ("evaluate", "suites"), "heldout_text needs texts, and no data set under real has any: leave it out"
    if "benchmark" in evaluate.needs and recipe.benchmark is None:
        yield ("evaluate", "suites"), "the suite benchmark asks what the section `benchmark` makes, and there is none"
    # Whether or not there is such an arm: a report would say of another model what holds of that one.
    taken = {"teacher", "base", "student", REAL_ONLY, *(name.partition("/")[2] for name in recipe.train_names)}
    for name in evaluate.arms:
        if name in taken or re.fullmatch(r"student-seed\d+", name):  # the folder of another seed
            yield ("evaluate", "arms", name), "is the name of another arm; choose another"
    if recipe.mix.validation_rows == 0 and any(training.patience for training in recipe.trainings):
        yield ("mix", "validation_rows"), "0 leaves nothing that train.patience could wait for"
    every = recipe.trainings[-1].checkpoint_every
    last = recipe.trainings[-1].max_steps
    for step in evaluate.checkpoints:
        if last is not None and step > last:
            yield ("evaluate", "checkpoints"), f"step {step} never comes: train.max_steps is {last}"
        if every is None or step % every:
            where = f"a multiple of train.checkpoint_every ({every})" if every else "kept: set train.checkpoint_every"
            yield ("evaluate", "checkpoints"), f"step {step} is not {where}"
    if "split" not in evaluate.needs:
        return
    if kinds & {"heldout_real", "heldout_teacher"} and not any(
        real.kinds & {"prompt", "chat"} for real in recipe.real.values()
    ):
        yield ("real",), "a student is measured on held-out prompts, and there is no data that has any"
    elif recipe.split.held_out_prompts == 0:
        yield ("split", "held_out_prompts"), "0 leaves nothing to evaluate on"


def _no_metric(evaluate: Evaluate, name: str) -> str | None:
    """Why there will be no such metric."""
    suites = {suite.label: suite for suite in evaluate.suites}
    label, _, metric = name.partition(".")
    suite = suites.get(label)
    if suite is None:
        return f"suite {label!r} is not among evaluate.suites ({', '.join(suites)})"
    if suite.KNOWN and metric not in suite.metrics:
        return f"{label} has no metric {metric!r}; {nearest(metric, list(suite.metrics))}"
    if suite.ASKS == "likelihood" and metric == "chrf" and evaluate.generation.items == 0:
        return "chrf needs answers, but evaluate.generation.items is 0"
    return None


def _unjudgeable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A judge that nobody knows, and suites or arms that have no answers for it."""
    evaluate, judge = recipe.evaluate, recipe.evaluate.judge
    if judge is None:
        return
    where: KeyPath = ("evaluate", "judge")
    if judge.by not in recipe.cast:
        yield (*where, "by"), f"no model {judge.by!r} under teachers; {nearest(judge.by, sorted(recipe.cast))}"
    suites = {suite.label: suite for suite in evaluate.suites}
    for place, label in enumerate(judge.suites):
        if label not in suites:
            yield (*where, "suites", place), f"no suite {label!r}; {nearest(label, list(suites))}"
        elif not evaluate.answers(suites[label]):
            yield (*where, "suites", place), f"{label} has no answers to be judged"
    if not judge.suites and not evaluate.judged:
        yield where, "no suite is answered: raise evaluate.generation.items, or add a suite that asks for answers"
    for place, pair in enumerate(judge.pairs):
        for side, arm in enumerate(pair):
            if arm not in recipe.arms:
                yield (*where, "pairs", place, side), f"no arm {arm!r}; {nearest(arm, list(recipe.arms))}"


def _incomparable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A student of real rows alone, where that would be another training or there are no such rows."""
    if not recipe.evaluate.real_only:
        return
    where: KeyPath = ("evaluate", REAL_ONLY)
    objectives = [training.objective for training in recipe.trainings]
    if objectives != ["sft"]:
        yield (
            where,
            f"real rows alone can be learnt by one training, `sft`, and this recipe trains by {', '.join(objectives)}",
        )
    if not any(real.teaches for real in recipe.real.values()):
        yield where, "no data set under real has answers or texts to learn from"


def _mute(recipe: Recipe, metric: str) -> Iterator[tuple[KeyPath, str]]:
    """A primary metric of token probabilities, of which the teacher gives none."""
    kind = recipe.teacher.engine.kind
    if not scores(recipe.teacher.engine):
        usable = " or ".join(f"{suite.label}.chrf" for suite in recipe.evaluate.suites if "chrf" in suite.metrics)
        yield (
            ("evaluate", "primary"),
            f"the engine `{kind}` gives no token probabilities, so that {metric} would have no teacher; write "
            f"{usable or 'a suite that asks for answers'}",
        )


def _unservable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    here = {*recipe.references}
    for name, teacher in recipe.cast.items():
        if not teacher.served or recipe.starts(name):
            continue
        where: KeyPath = ("teacher",) if name == MAIN else ("teachers", name)
        if recipe.runtime.endpoint(name) is None:
            key = "server" if name == MAIN else f"servers: {{{name}"
            closing = "}" * (key.count("{") + 2)
            yield (
                (*where, "engine"),
                f"no address; write runtime: {{{key}: {{address: http://localhost:8000/v1{closing}",
            )
        if teacher.model in here:
            yield (
                (*where, "model"),
                f"{teacher.model} is read on this machine too; name the served one with its revision, "
                f"{teacher.model}@COMMIT",
            )
