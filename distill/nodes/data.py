"""The nodes from real data to the mix and its guard, and those that hold what is measured with."""

from __future__ import annotations

from collections.abc import Iterator

from distill import split
from distill.collapse import measuring
from distill.collapse import stage as guard
from distill.filter import stage as filtering
from distill.generate import benchmark, heldout
from distill.generate import stage as generate
from distill.generate.settings import Spec as GenerateSpec
from distill.mix import stage as mix
from distill.nodes.in_force import of_rows
from distill.nodes.node import Node
from distill.recipe import Recipe
from distill.suites import named
from distill.suites import stage as suites


def data_nodes(recipe: Recipe) -> tuple[Node, ...]:
    """From real data to the mix, and what holds it against people's texts."""
    seed, data = recipe.seed, tuple(real.data for real in recipe.real.values())
    chain = filter_spec(recipe)
    counts = {"tokenizer": chain.student} if chain.student else {}
    said: dict[str, object] = {"prompts": chain.prompts} if chain.prompts else {}
    said |= {"versions": chain.versions} if chain.versions else {}
    filters = tuple({**part.model_dump(mode="json"), **counts, **said} for part in recipe.filter)
    # Whatever the filters read or ask decides what they accept, and so what is asked for.
    judges = {name: recipe.cast[name] for name in recipe.judging}
    read = tuple(dict.fromkeys((*counts.values(), *recipe.filtered_by)))
    version = generate.VERSION * 1000 + filtering.VERSION  # what the filters accept decides what is asked
    asked = {name: recipe.cast[name] for name in recipe.asked}
    models = tuple(ref for one in asked.values() for ref in one.references)
    # What is measured with comes first: training rows are judged against it.
    measured = tuple(measured_nodes(recipe))
    names = tuple(node.name for node in measured)
    told = named.spec(recipe.evaluate.suites, recipe.evaluate.named) if recipe.student else None
    written = ("generate",) if recipe.teaches else ()
    without = recipe.split.without if recipe.mix.earlier else None
    nodes = [
        Node(
            "split", 0, (), split.spec(recipe.real, recipe.split, seed),
            split.run, split.VERSION, (*data, *recipe.split.references), data,
        ),
        *measured,
        *([Node("named", 0, ("suites",), told, named.run, named.VERSION)] if told else []),
        *([Node(
            "generate", 1, ("split", *names),
            GenerateSpec(
                teachers=asked, generate=recipe.generate, filter=filters, seed=seed,
                templates=generate.templates_digest(recipe.generate.methods), judges=judges, oversample=chain.oversample,
            ),
            generate.run, version, (*models, *read), models, "generate",
        )] if recipe.teaches else []),
        Node(
            "filter", 2, ("split", *names, *written), chain, filtering.run, filtering.VERSION, read,
            launch="filter" if filtering.heavy(chain) or "filter" in recipe.runtime.launch else None,
        ),
        Node(
            "mix", 3, ("split", *names, "filter"),
            mix.Spec(mix=recipe.mix, seed=seed, max_depth=recipe.split.max_depth, without=without), mix.run, mix.VERSION,
            (*recipe.mix.references, *((without,) if without else ())),
        ),
        Node(
            "panel", 3, ("filter", "mix"), measuring.Spec(embedder=recipe.guard.embedder, seed=seed), measuring.run,
            measuring.VERSION, recipe.guard.references,
        ),
        Node("guard", 3, ("panel",), guard.Spec.of(recipe.guard, of_rows(recipe)), guard.run, guard.VERSION),
    ]  # fmt: skip
    return tuple(nodes)


def measured_nodes(recipe: Recipe) -> Iterator[Node]:
    """What is measured with: the teacher's answers to held-out prompts and the items of suites with data of their own, where
    there is a student, and the benchmark."""
    seed, teacher = recipe.seed, recipe.teacher
    if recipe.student is not None and (own := suites.loaded(recipe.evaluate.suites)):
        read = tuple(dict.fromkeys(ref for suite in own for ref in suite.references))
        versions = {package: version for suite in own for package, version in suite.versions.items()}
        yield Node("suites", 0, (), suites.Spec(suites=own, versions=versions), suites.run, suites.VERSION, read)
    if recipe.student is not None and "heldout" in recipe.evaluate.needs:
        spec = heldout.Spec(teacher=teacher, sampling=recipe.generate.sampling, systems=systems(recipe), seed=seed)
        yield Node(
            "heldout", 1, ("split",), spec, heldout.run, heldout.VERSION, teacher.references, teacher.references,
            "generate",
        )  # fmt: skip
    if recipe.benchmark is not None:
        asked = {name: recipe.cast[name] for name in recipe.examined}
        models = tuple(ref for one in asked.values() for ref in one.references)
        section = recipe.benchmark
        items = benchmark.Spec(teachers=asked, benchmark=section, seed=seed, templates=section.digest)
        yield Node(
            "benchmark", 1, ("split",), items, benchmark.run, benchmark.VERSION, models, models, "generate",
        )  # fmt: skip


def filter_spec(recipe: Recipe) -> filtering.Spec:
    counting = recipe.student is not None and any(part.kind == "length" for part in recipe.filter)
    return filtering.Spec(
        filter=recipe.filter,
        rows=recipe.generate.rows if recipe.teaches else 0,
        shares=recipe.generate.shares,
        min_yield=recipe.generate.min_yield,
        student=recipe.student.model if recipe.student and counting else None,
        teachers={name: recipe.cast[name] for name in recipe.judging},
        oversample=max((part.candidates for part in recipe.filter), default=1.0),
        prompts=filtering.prompts_digest(recipe.filter),
        versions=filtering.versions(recipe.filter),
    )


def systems(recipe: Recipe) -> dict[str, str | None]:
    """The system message that each data set's prompts are asked with; where `answer` asks them, its own."""
    methods = sorted(recipe.generate.methods, key=lambda method: method.kind != "answer")
    named = {name: getattr(method, "system", None) for method in reversed(methods) for name in method.reads}
    return {name: system for name, system in named.items() if recipe.real[name].kinds & {"prompt", "chat"}}
