"""The nodes that measure: one for each arm, and the judge of their answers."""

from __future__ import annotations

from collections.abc import Iterator

from distill.evaluate import settings as evaluation
from distill.evaluate import stage as evaluate
from distill.judge import settings as judging
from distill.judge import stage as judge
from distill.names import REAL_ONLY, seeded
from distill.nodes.node import Node
from distill.nodes.student import found_layers
from distill.recipe import Recipe
from distill.train.student import Student


def evaluate_nodes(recipe: Recipe, student: Student) -> tuple[Node, ...]:
    """One node per arm: teacher, base, what the student was between trainings, the student of each seed, one of real rows
    alone, checkpoints that are asked for, and other models."""
    asked, teacher = recipe.evaluate, recipe.teacher
    *between, last = recipe.train_names
    seeds, alone = range(1, asked.seeds + 1), [f"train@{REAL_ONLY}"] if asked.real_only else []
    common = {"suites": asked.bare, "generation": asked.generation, "dtype": asked.dtype}

    def node(arm: str, needs: tuple[str, ...], model: str | None, **more: object) -> Node:
        spec = evaluation.Spec.model_validate({"arm": arm, "model": model, **common, **more})
        tokenizer = getattr(spec.engine, "tokenizer", None)
        sources = tuple(ref for ref in (model, spec.adapter, tokenizer) if ref)
        needs = (*asked.needs, *needs)
        return Node(f"evaluate/{arm}", 5, needs, spec, evaluate.run, evaluate.VERSION, sources, (), "evaluate")

    against = ("evaluate/teacher",) if asked.against_teacher else ()
    return (
        node(
            "teacher",
            (),
            teacher.model,
            adapter=teacher.adapter,
            quantization=getattr(teacher.engine, "quantization", None),
            engine=teacher.engine if teacher.engine.kind != "transformers" else None,
        ),
        node(
            "base",
            (*against, *found_layers(student)),
            student.model,
            drop_layers=student.drop_layers,
            adapter=student.adapter,
            quantization=student.quantization,
        ),
        *(node(name.partition("/")[2], (*against, name), None, trained=name) for name in between),
        *(
            node(seeded("student", one), (*against, seeded(last, one)), None, trained=seeded(last, one))
            for one in seeds
        ),
        *(node(REAL_ONLY, (*against, own), None, trained=own) for own in alone),
        *(node(f"student@{step}", (*against, last), None, trained=last, step=step) for step in asked.checkpoints),
        *(node(name, against, **other.model_dump()) for name, other in asked.arms.items()),
    )


def judge_nodes(recipe: Recipe, student: Student) -> Iterator[Node]:
    """Pairs of arms' answers before a judge, where the recipe names one."""
    asked, suites = recipe.evaluate.judge, recipe.evaluate.judged
    if asked is None:
        return
    teacher, others = recipe.cast[asked.by], against(recipe, student)
    spec = judging.Spec(
        judge=asked, teachers={asked.by: teacher}, suites=suites, against=others, prompt=judging.prompt_digest(asked)
    )
    needs = dict.fromkeys(
        (*(name for suite in suites for name in suite.NEEDS), *(f"evaluate/{arm}" for arm in asked.arms))
    )
    sources = tuple(dict.fromkeys((*teacher.references, *others.values(), *asked.references)))
    yield Node("judge", 5, tuple(needs), spec, judge.run, judge.VERSION, sources, (), "judge")


def against(recipe: Recipe, student: Student) -> dict[str, str]:
    """References to the models whose answers a judge compares, by what they are: one that is related to them is flagged."""
    judge = recipe.evaluate.judge
    arms = {name: other.model for name, other in recipe.evaluate.arms.items() if judge and name in judge.arms}
    return {"teacher": recipe.teacher.model, "student": student.model, **arms}
