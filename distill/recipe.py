"""The recipe: every stage's spec put together into one frozen value, and the checks that no single spec can make."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import Field, StringConstraints, model_validator

from distill.collapse.settings import Guard
from distill.context import Runtime
from distill.described import Described
from distill.engines.teacher import MAIN, Teacher
from distill.evaluate.settings import Evaluate
from distill.filter.chain import AnyFilter
from distill.filter.contamination.contamination import Contamination
from distill.filter.duplicates.near import ExactDuplicate
from distill.filter.text.finished import Finished
from distill.generate.benchmark import Benchmark
from distill.generate.method import MethodSpec
from distill.generate.settings import Generate
from distill.mix.stage import Mix
from distill.names import REAL_ONLY, seeded
from distill.recipe_file import KeyPath
from distill.rows import Frozen
from distill.sources.real import Real
from distill.split import DataName, Split
from distill.terms.settings import Terms
from distill.train.settings import Train, Training
from distill.train.sft import Sft
from distill.train.student import Student

TeacherName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Recipe(Frozen):
    """One experiment: teacher, student, real data, filters and suites."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
    """Of the run folder."""
    seed: int = Field(0, ge=0)
    use: Literal["research", "internal", "commercial", "redistribute"] = "research"
    """What the student is for; terms are judged against it."""
    terms: Terms = Terms()
    """What is to be reviewed of the inputs' terms, and was."""
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
    guard: Guard = Guard()
    """How much poorer than people's texts the mix and the student may be."""
    train: Train = Sft()
    """How the student learns; a list is one training after the other, each going on with the student before it."""
    evaluate: Evaluate = Evaluate()
    runtime: Runtime = Runtime()

    @model_validator(mode="before")
    @classmethod
    def _nothing_to_measure(cls, value: Any) -> Any:
        """Without a student and a benchmark nothing is held out unless the recipe says so; without real data none is
        mixed in; without either no training is watched."""
        if not isinstance(value, dict):
            return value
        implied: dict[str, Any] = {}
        if not value.get("student") and not value.get("benchmark"):
            implied["split"] = {"held_out_prompts": 0}
        fixed = {} if value.get("student") and value.get("real") else {"validation_rows": 0}
        fixed |= {} if value.get("real") else {"real_fraction": 0}
        said = value.get("mix", {})
        return {**implied, **value, "mix": {**fixed, **said} if isinstance(said, dict) else said}

    @property
    def cast(self) -> dict[str, Teacher]:
        """Every teacher by its name."""
        return {MAIN: self.teacher, **self.teachers}

    @property
    def teaches(self) -> bool:
        """Whether the teacher writes rows: a mix of real rows alone has none of them."""
        return self.mix.real_fraction < 1

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
    def comparing(self) -> tuple[str, ...]:
        """Names of the teachers that judge the answers of the arms."""
        judge = self.evaluate.judge if self.student else None
        return (judge.by,) if judge and judge.by in self.cast else ()

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm that is evaluated: teacher, base, what the student was between trainings, itself from each seed, one of real
        rows alone, checkpoints, others."""
        between = (name.partition("/")[2] for name in self.train_names[:-1])
        steps = (f"student@{step}" for step in self.evaluate.checkpoints)
        students = (seeded("student", number) for number in range(1, self.evaluate.seeds + 1))
        alone = (REAL_ONLY,) if self.evaluate.real_only else ()
        return ("teacher", "base", *between, *students, *alone, *steps, *self.evaluate.arms)

    @property
    def filtered_by(self) -> tuple[str, ...]:
        """Every reference that filters follow: models, data, and what the teachers that they ask consist of."""
        judges = (ref for name in self.judging for ref in self.cast[name].references)
        return tuple(dict.fromkeys((*judges, *(ref for part in self.filter for ref in (*part.models, *part.data)))))

    @property
    def trainings(self) -> tuple[Training, ...]:
        """Every training, the first one first."""
        return self.train if isinstance(self.train, tuple) else (self.train,)

    @property
    def train_names(self) -> tuple[str, ...]:
        """Node of each training: `train`, or where there are several `train/sft`, `train/on_policy`, `train/sft-2`."""
        objectives = [training.objective for training in self.trainings]
        if len(objectives) == 1:
            return ("train",)
        times = [objectives[: place + 1].count(one) for place, one in enumerate(objectives)]
        return tuple(
            f"train/{one}{f'-{time}' if time > 1 else ''}" for one, time in zip(objectives, times, strict=True)
        )

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
        data |= dict.fromkeys((*self.split.references, *self.mix.references), "data")
        data |= {self.terms.registry: "data"} if self.terms.registry else {}
        asked = self.evaluate.references if self.student else {}
        data |= {ref: "data" for ref, what in asked.items() if what == "data"}
        local: list[str] = [ref for one in self.cast.values() for ref in one.references if ref not in self.served]
        models = [
            *local,
            *(self.student.references if self.student else ()),
            *(ref for ref, what in asked.items() if what == "model"),
            *(ref for part in self.filter for ref in part.models),
            *self.guard.references,
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

    def hosts(self, teacher: str) -> tuple[str, ...]:
        """Names in the addresses of the servers that a teacher is behind; none for one that runs here."""
        endpoint = self.runtime.endpoint(teacher)
        if endpoint is None or not self.cast[teacher].served or self.starts(teacher):
            return ()
        return tuple(dict.fromkeys(host for url in endpoint.urls if (host := urlsplit(url).hostname)))

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


def dump(recipe: Recipe) -> str:
    """The resolved recipe as YAML: every field, defaults too."""
    return str(yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True, width=120))


def json_schema() -> dict[str, Any]:
    """JSON Schema of a recipe file, for editors."""
    schema = Recipe.model_json_schema(schema_generator=Described)
    schema["properties"]["extends"] = {"type": "string", "description": "Another recipe that this one starts from."}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
