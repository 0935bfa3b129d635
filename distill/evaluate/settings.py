"""What is evaluated: the recipe's section, and what decides one arm."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from distill.engines.layers import DropLayers
from distill.engines.open import AnyEngine
from distill.engines.placement import Quantization
from distill.engines.transformers import Dtype
from distill.judge.settings import Judge
from distill.rows import Frozen
from distill.statistics.forgetting import Forgetting
from distill.suites.heldout import PEOPLES, HeldOut, HeldOutReal, HeldOutTeacher
from distill.suites.kinds import AnySuite, Suites, by_name
from distill.suites.suite import Suite

ArmName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]


class Generation(Frozen):
    items: int = Field(64, ge=0)
    """Items of each held-out suite that are answered greedily (the first by hash); 0 leaves generation out."""
    max_new_tokens: int = Field(64, gt=0)


class Other(Frozen):
    """Another model that is measured beside the student, by reference."""

    model: str
    """A hub id, a folder, or another run's student: `run:NAME/train`, `run:NAME/train@1200`."""
    drop_layers: tuple[int, ...] = ()
    adapter: str | None = None
    quantization: Quantization | None = None


class Evaluate(Frozen):
    primary: str = "heldout_teacher.loss"
    """The one metric that decides, named before the run: `<suite>.<metric>`."""
    suites: Suites = Field((HeldOutTeacher(), HeldOutReal()), min_length=1, json_schema_extra=by_name)
    """What every arm is asked; `heldout_real` is short for `{kind: heldout_real}`."""
    generation: Generation = Generation()
    dtype: Dtype = "bfloat16"
    """Of every arm."""
    against_teacher: bool = True
    """Hold every arm's next-token distributions against the teacher's (`kl`, `agreement`), so that the teacher is measured
    first. Without it each arm is measured by itself."""
    checkpoints: tuple[int, ...] = ()
    """Steps of the student's training that are evaluated as arms too, `student@STEP`."""
    real_only: bool = False
    """Another student as an arm: the same base, steps and supervised tokens, on real rows alone, repeated as often as needed.
    What the student is better by is what the teacher added. For one training by `sft`."""
    seeds: int = Field(1, ge=1)
    """How often the student is trained, each time from a seed of its own: the arms `student`, `student#2`, …"""
    arms: dict[ArmName, Other] = {}
    """Other models, by a name for the report."""
    forgetting: Forgetting | None = None
    """What the student should not lose against its base; the report says whether it did."""
    judge: Judge | None = None
    """A model that says which of two arms' answers are better; nobody is asked when not given."""

    @property
    def named(self) -> tuple[str, ...]:
        """Metrics that decide, or that must not be lost."""
        return (self.primary, *(self.forgetting.metrics if self.forgetting else ()))

    @property
    def needs(self) -> tuple[str, ...]:
        """Nodes that the items come from."""
        return tuple(dict.fromkeys(name for suite in self.suites for name in suite.NEEDS))

    @property
    def references(self) -> dict[str, str]:
        """Every reference and whether it is a `model` or `data`."""
        models = (ref for other in self.arms.values() for ref in (other.model, other.adapter) if ref)
        data = (ref for suite in self.suites for ref in suite.references)
        labels = self.judge.references if self.judge else ()
        return {**dict.fromkeys((*data, *labels), "data"), **dict.fromkeys(models, "model")}

    @property
    def bare(self) -> tuple[Suite, ...]:
        """The suites as far as they decide what arms are asked and what their answers are worth."""
        return tuple(suite.bare for suite in self.suites)

    @property
    def real_text(self) -> tuple[str, ...]:
        """Suites whose loss is that on people's held-out text."""
        return tuple(suite.label for suite in self.suites if suite.kind in PEOPLES)

    @property
    def held_out(self) -> tuple[str, ...]:
        """Suites of held-out prompts that are answered."""
        return tuple(suite.label for suite in self.suites if isinstance(suite, HeldOut) and self.answers(suite))

    @property
    def judged(self) -> tuple[Suite, ...]:
        """Suites whose answers the judge compares: those that it names, or all that are answered."""
        if self.judge is None:
            return ()
        wanted = self.judge.suites
        return tuple(suite for suite in self.bare if self.answers(suite) and (not wanted or suite.label in wanted))

    def answers(self, suite: Suite) -> bool:
        """Whether the items of a suite are answered."""
        return suite.ASKS == "answers" or (suite.ASKS == "likelihood" and suite.ANSWERED and self.generation.items > 0)


class Spec(Frozen):
    """One arm. `model` and what follows for teacher, base and other models; a student is what its training left."""

    arm: str
    model: str | None
    drop_layers: DropLayers = ()
    adapter: str | None = None
    """Reference to the adapter that a teacher wears, or that a student's training goes on with."""
    quantization: Quantization | None = None
    """Of the weights that the student is trained on: the base is the student before training, and nothing else."""
    trained: str = "train"
    """Node of the training whose student it is."""
    step: int | None = None
    suites: tuple[AnySuite, ...]
    generation: Generation
    dtype: Dtype
    top_k: int = 64
    """Teacher's tokens per position that agreement and KL are computed from."""
    engine: AnyEngine | None = None
    """What answers and scores where it is not a model in this process: the teacher's own engine."""
