"""tasks -> what they ask, in order: the conversation before each answer, and the row that stands for it.

Conversations are those of the harness' own command line with `--apply_chat_template`: description as the system message,
examples as earlier turns, drawn with its seed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from distill.errors import SourceError
from distill.evidence import OPTIONS, QUESTION, REFERENCE
from distill.rows import Message, Provenance, Row, root_of
from distill.suites.harness.tasks import reading

if TYPE_CHECKING:
    from lm_eval.api.task import ConfigurableTask

    from distill.suites.harness.tasks import Tasks

SEED = 1234
"""That the harness draws examples with, unless its user says otherwise."""


@dataclass(frozen=True)
class Question:
    """One item of a task."""

    task: ConfigurableTask
    number: int
    """Of the item in its task."""
    doc: dict[str, Any]
    contexts: tuple[tuple[Message, ...], ...]
    """What is said before an answer: one conversation, or one for each choice where the choice stands in the question."""
    begins: str
    """Words that the answer is made to begin with; most often none."""
    row: Row


def questions(tasks: Tasks, limit: int | None) -> Iterator[Question]:
    """Every item of every task; the same ones in the same words each time."""
    for task in tasks:
        with reading(task.task_name):
            task.set_fewshot_seed(SEED)
            found = [_question(task, number, doc) for number, doc in task.doc_iterator(limit=limit)]
        yield from found


def matching(asked: Iterable[Question], rows: Sequence[Row], label: str) -> list[Question]:
    """The questions of some rows, in their order.

    Raises:
        SourceError: the task no longer asks one of them.
    """
    by_id = {question.row.id: question for question in asked}
    lost = [row for row in rows if row.id not in by_id]
    if lost:
        raise SourceError(
            f"{len(lost)} of {len(rows)} items are no longer those of the task, {lost[0].question[:60]!r} first",
            where=f"evaluate.suites: {label}",
            hint="its data have changed since the items were read: remove the folder of the node `suites`, and run again",
        )
    return [by_id[row.id] for row in rows]


def _question(task: ConfigurableTask, number: int, doc: dict[str, Any]) -> Question:
    begins = task.doc_to_prefix(doc) or ""
    said = task.fewshot_context(
        doc,
        num_fewshot=task.config.num_fewshot or 0,
        apply_chat_template=True,
        fewshot_as_multiturn=True,
        chat_template=_written,
        gen_prefix=begins or None,
    )
    # Where the answer has a beginning, the harness puts it as a last turn of the assistant's.
    contexts = tuple(_messages(json.loads(one), bool(begins)) for one in ([said] if isinstance(said, str) else said))
    return Question(task, number, doc, contexts, begins, _row(task, number, doc, contexts[0], begins))


def _written(messages: list[dict[str, str]], add_generation_prompt: bool = True) -> str:  # noqa: ARG001
    """In the place of a chat template: the conversation as it is, for ours to render later."""
    return json.dumps(messages)


def _messages(said: list[dict[str, str]], begun: bool) -> tuple[Message, ...]:
    return tuple(Message.model_validate(one) for one in (said[:-1] if begun else said))


def _row(task: ConfigurableTask, number: int, doc: dict[str, Any], context: tuple[Message, ...], begins: str) -> Row:
    """The item as evaluation, contamination and the report know it; all that decides its answer is in its id."""
    reference = _reference(task, doc)
    if task.OUTPUT_TYPE == "generate_until":
        how = {"decoding": json.dumps(task.config.generation_kwargs, sort_keys=True, default=str)}
    else:
        how = {OPTIONS: json.dumps(choices_of(task, doc), ensure_ascii=False)}
    # Examples come first, and may be of what is trained on; the task's own words hide a question from who compares it.
    said = context[-1].content
    question = _bare(task, doc) or said
    evidence = {
        "task": task.task_name,
        "item": str(number),
        **how,
        **({"begins": begins} if begins else {}),
        **({QUESTION: question} if len(context) > 1 or question != said else {}),
        **({REFERENCE: reference} if reference else {}),
    }
    answer = (Message(role="assistant", content=reference),) if reference else ()
    return Row(
        kind="benchmark" if answer else "prompt",
        messages=(*context, *answer),
        evidence=evidence,
        provenance=Provenance(
            source="real",
            origin=f"lm_eval:{task.task_name}@{task.VERSION}",
            method="real",
            root=root_of(context[-1:]),
        ),
    )


def _bare(task: ConfigurableTask, doc: dict[str, Any]) -> str | None:
    """The question without the task's words around it, where they have a place for one text of the record; of several texts
    nobody can tell which is the question."""
    from jinja2 import Environment
    from jinja2.meta import find_undeclared_variables

    template = task.config.doc_to_text
    if task.prompt is not None or not isinstance(template, str):
        return None
    named = {template} if template in doc else find_undeclared_variables(Environment().parse(template))
    texts = [doc[name].strip() for name in named if isinstance(doc.get(name), str)]
    return texts[0] or None if len(texts) == 1 else None


def _reference(task: ConfigurableTask, doc: dict[str, Any]) -> str:
    """What is right, as text; empty where a program decides."""
    target = task.doc_to_target(doc)
    choices = choices_of(task, doc)
    several = target if isinstance(target, list) else [target]
    texts = [choices[one] if choices and isinstance(one, int) and one < len(choices) else one for one in several]
    return " | ".join(text.strip() for text in texts if isinstance(text, str))


def choices_of(task: ConfigurableTask, doc: dict[str, Any]) -> list[str]:
    """What is chosen from; nothing where an answer is written."""
    return [str(choice) for choice in task.doc_to_choice(doc)] if task.config.doc_to_choice is not None else []
