"""The recipe: every stage's spec put together into one frozen value, and the checks that no single spec can make."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import Field, StringConstraints, ValidationError

from distill.context import Runtime
from distill.engines.open import scores
from distill.engines.teacher import MAIN, Teacher
from distill.errors import RecipeError
from distill.evaluate.stage import Evaluate
from distill.filter.chain import AnyFilter
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate
from distill.filter.models.measured import Measured
from distill.filter.text.finished import Finished
from distill.generate.benchmark import Benchmark
from distill.generate.method import MethodSpec
from distill.generate.settings import Generate
from distill.mix.stage import Mix
from distill.problems import describe, nearest
from distill.recipe_file import Document, KeyPath, dotted, read
from distill.rows import Frozen
from distill.sources.real import Real
from distill.split import DataName, Split
from distill.suites.metrics import METRICS
from distill.train.settings import Train
from distill.train.student import Student

TeacherName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
LAUNCHED = ("generate", "filter", "train", "evaluate")
"""Stages that may have processes of their own."""


class Recipe(Frozen):
    """One experiment: teacher, student, real data, filters and suites."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the run folder."""
    seed: int = Field(0, ge=0)
    use: Literal["research", "internal", "commercial", "redistribute"] = "research"
    """What the student is for; terms are judged against it."""
    teacher: Teacher
    """Who writes, and whom the student is measured against."""
    teachers: dict[TeacherName, Teacher] = {}
    """Other models by name: to write, to judge or to score, where a method says so."""
    student: Student | None = None
    """Who learns; without one the recipe ends with the data."""
    real: dict[DataName, Real] = {}
    """Data made by people, by name."""
    split: Split = Split()
    generate: Generate
    benchmark: Benchmark | None = None
    """A synthetic test set, made from the held-out side; none when not given."""
    filter: tuple[AnyFilter, ...] = (Finished(), ExactDuplicate(), Contamination())
    mix: Mix = Mix()
    train: Train = Train()
    evaluate: Evaluate = Evaluate()
    runtime: Runtime = Runtime()

    @property
    def cast(self) -> dict[str, Teacher]:
        """Every teacher by its name."""
        return {MAIN: self.teacher, **self.teachers}

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the teachers that generation asks."""
        return tuple(name for name in self.generate.asks if name in self.cast)

    @property
    def examined(self) -> tuple[str, ...]:
        """Names of the teachers that the benchmark asks."""
        return tuple(name for name in self.benchmark.asks if name in self.cast) if self.benchmark else ()

    @property
    def judging(self) -> tuple[str, ...]:
        """Names of the teachers that filters ask."""
        named = dict.fromkeys(name for part in self.filter for name in part.asks)
        return tuple(name for name in named if name in self.cast)

    @property
    def filtered_by(self) -> tuple[str, ...]:
        """Every reference that filters follow: models, data, and what the teachers that they ask consist of."""
        judges = (ref for name in self.judging for ref in self.cast[name].references)
        return tuple(dict.fromkeys((*judges, *(ref for part in self.filter for ref in (*part.models, *part.data)))))

    @property
    def methods(self) -> Iterator[tuple[KeyPath, MethodSpec]]:
        """Every method with its place in the recipe."""
        for section, part in (("generate", self.generate), ("benchmark", self.benchmark)):
            for index, method in enumerate(part.methods if part else ()):
                yield (section, "methods", index), method

    @property
    def references(self) -> dict[str, Literal["model", "data"]]:
        """Every reference to a model or data that must be on this machine, and which of the two it is."""
        data: dict[str, Literal["model", "data"]] = {real.data: "data" for real in self.real.values()}
        data |= {ref: "data" for part in self.filter for ref in part.data}
        local: list[str] = [ref for one in self.cast.values() for ref in one.references if ref not in self.served]
        models = [
            *local,
            *([self.student.model] if self.student else []),
            *(ref for part in self.filter for ref in part.models),
        ]
        return {**data, **dict.fromkeys(models, "model")}

    @property
    def served(self) -> tuple[str, ...]:
        """References of teachers whose weights are behind a server that is not started here."""
        return tuple(one.model for name, one in self.cast.items() if one.served and not self.starts(name))

    def starts(self, teacher: str) -> bool:
        """Whether a teacher's stages start its servers, so that its weights are on this machine."""
        endpoint = self.runtime.endpoint(teacher)
        return endpoint is not None and endpoint.start is not None

    def charges(self, teacher: str) -> bool:
        """Whether a teacher may cost money: it is behind a server of others, or the recipe has a price for it."""
        endpoint = self.runtime.endpoint(teacher)
        priced = endpoint is not None and endpoint.price is not None
        return self.cast[teacher].served and (priced or not self.starts(teacher))

    @property
    def stated_terms(self) -> list[tuple[str, tuple[str, ...]]]:
        """What the recipe itself says of the licence of each reference; empty where it leaves that to the source."""
        student = [(self.student.model, self.student.terms)] if self.student else []
        teachers = [(one.model, one.terms) for one in self.cast.values()]
        return [*((real.data, real.terms) for real in self.real.values()), *teachers, *student]


def load_recipe(path: Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read and check a recipe.

    Args:
        overrides: `a.b=c`, as given with `--set`.

    Raises:
        RecipeError: every problem at once, each with file, line and key path.
    """
    document = read(path, overrides)
    try:
        recipe = Recipe.model_validate(document.value)
    except ValidationError as error:
        raise _recipe_error(path, describe(error, Recipe, document)) from error
    lines = [f"{document.place(where)}  {dotted(where)}: {text}" for where, text in inconsistencies(recipe)]
    if lines:
        raise _recipe_error(path, lines)
    return recipe


def _recipe_error(path: Path, lines: list[str]) -> RecipeError:
    count = "1 problem" if len(lines) == 1 else f"{len(lines)} problems"
    return RecipeError("\n  ".join([count, *lines]), where=str(path))


def inconsistencies(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """Combinations that no spec can see alone."""
    yield from _unknown_names(recipe)
    yield from _unfit_models(recipe)
    yield from _repeated_names(recipe)
    yield from _misplaced_filters(recipe)
    if recipe.benchmark and recipe.split.held_out_prompts == 0:
        yield ("split", "held_out_prompts"), "0 leaves nothing that a benchmark could start from"
    if recipe.student is not None:
        yield from _unteachable(recipe)
        yield from _unmeasurable(recipe)
    yield from _unservable(recipe)
    stated: dict[str, tuple[str, ...]] = {}
    for ref, terms in recipe.stated_terms:
        if terms and stated.setdefault(ref, terms) != terms:
            yield (), f"{ref} is given two different sets of terms: {', '.join(stated[ref])} and {', '.join(terms)}"
    for stage in recipe.runtime.launch:
        if stage not in LAUNCHED:
            yield ("runtime", "launch", stage), f"no such stage; {nearest(stage, list(LAUNCHED))}"


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
        if name not in (*recipe.asked, *recipe.examined, *recipe.judging):
            yield ("teachers", name), "no method and no filter asks this model"
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
    layers = recipe.student.drop_layers if recipe.student else ()
    for path, values in (
        (("student", "drop_layers"), layers),
        (("evaluate", "suites"), recipe.evaluate.suites),
        (("evaluate", "checkpoints"), recipe.evaluate.checkpoints),
    ):
        if repeated := _repeated(values):
            yield path, f"named twice: {', '.join(map(str, repeated))}"
    if recipe.mix.real_fraction > 0 and not teaching:
        yield (
            ("mix", "real_fraction"),
            "real rows are asked for, but no data set under real has answers or texts; set it to 0",
        )


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


def _repeated(values: Sequence[object]) -> list[object]:
    return sorted({value for value in values if values.count(value) > 1}, key=str)


def _unteachable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    """A student with nothing to learn from."""
    if not recipe.generate.taught:
        named = ", ".join(method.name for method in recipe.generate.methods)
        yield (
            ("generate", "methods"),
            f"{named}: only preferences, which no objective learns from yet; add a method that writes answers or texts, "
            "or leave out `student` to make the data alone",
        )


def _unmeasurable(recipe: Recipe) -> Iterator[tuple[KeyPath, str]]:
    evaluate = recipe.evaluate
    suite, _, metric = evaluate.primary.partition(".")
    if suite not in evaluate.suites:
        yield ("evaluate", "primary"), f"suite {suite!r} is not among evaluate.suites ({', '.join(evaluate.suites)})"
    elif metric not in METRICS:
        yield ("evaluate", "primary"), f"no metric {metric!r}; {nearest(metric, sorted(METRICS))}"
    elif metric != "chrf" and not scores(recipe.teacher.engine):
        usable = " or ".join(f"{suite}.chrf" for suite in evaluate.suites)
        kind = recipe.teacher.engine.kind
        yield (
            ("evaluate", "primary"),
            f"the engine `{kind}` gives no token probabilities, so that {metric} would have no teacher; write {usable}",
        )
    elif metric == "chrf" and evaluate.generation.items == 0:
        yield ("evaluate", "primary"), "chrf needs answers, but evaluate.generation.items is 0"
    if "heldout_real" in evaluate.suites and not any(real.answered for real in recipe.real.values()):
        yield ("evaluate", "suites"), "heldout_real needs answers, and no data set under real has any: leave it out"
    every = recipe.train.checkpoint_every
    for step in evaluate.checkpoints:
        if every is None or step % every:
            where = f"a multiple of train.checkpoint_every ({every})" if every else "kept: set train.checkpoint_every"
            yield ("evaluate", "checkpoints"), f"step {step} is not {where}"
    if not any(real.kinds & {"prompt", "chat"} for real in recipe.real.values()):
        yield ("real",), "a student is measured on held-out prompts, and there is no data that has any"
    elif recipe.split.held_out_prompts == 0:
        yield ("split", "held_out_prompts"), "0 leaves nothing to evaluate on"


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


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML: every field, defaults too."""
    return str(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120))


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe file, for editors."""
    schema = Recipe.model_json_schema()
    schema["properties"]["extends"] = {"type": "string", "description": "Another recipe that this one starts from."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


__all__ = ["Document", "Recipe", "dump", "inconsistencies", "json_schema", "load_recipe"]
