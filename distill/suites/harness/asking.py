"""questions of tasks + a model in memory -> what the harness makes of its answers.

The model is the arm's own, with its layers taken out, its adapter and its bits, and the conversation is rendered by our
template; requests, stop texts, filters and scores are the harness'.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distill.engines import adapters
from distill.engines.template import render
from distill.suites.harness.items import Question, choices_of
from distill.suites.harness.scores import measures
from distill.suites.harness.tasks import reading
from distill.suites.suite import Judged, Measures, Subject

if TYPE_CHECKING:
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM


@dataclass
class Asked:
    """A question on its way through the harness."""

    question: Question
    requests: list[Instance] = field(default_factory=list)
    error: str | None = None


def ask(questions: Sequence[Question], subject: Subject, label: str) -> list[Judged]:
    """Same length, same order."""
    if not questions:
        return []
    with reading(label):
        from lm_eval.models.huggingface import HFLM

        # In its base the adapter's layers are in their places; the harness knows no model around it.
        model = HFLM(pretrained=adapters.base(subject.model), tokenizer=subject.tokenizer, backend="causal")
        asked = [Asked(question, _requests(question, subject)) for question in questions]
        for one in asked:
            one.error = _too_long(one.requests, model)
        _answer([request for one in asked if one.error is None for request in one.requests], model, subject)
        _filter([one for one in asked if one.error is None])
        return [_judged(one) for one in asked]


def context(question: Question, subject: Subject) -> list[str]:
    """What the model reads before its answer, of each conversation."""
    return [render(subject.tokenizer, said, generate=True) + question.begins for said in question.contexts]


def _requests(question: Question, subject: Subject) -> list[Instance]:
    task, told = question.task, context(question, subject)
    made = task.construct_requests(
        doc=question.doc,
        ctx=told if task.multiple_input else told[0],
        metadata=(task.task_name, question.number, task.config.repeats),
        apply_chat_template=True,
        chat_template=None,
    )
    requests = made if isinstance(made, list) else [made]
    return sorted(requests, key=lambda request: request.idx)


def _length(request: Instance, model: HFLM) -> int:
    """Most tokens that it comes to."""
    before, after = request.args[:2]
    if request.request_type != "generate_until":
        return len(model.tok_encode(before + after))
    from lm_eval.models.utils import normalize_gen_kwargs

    return len(model.tok_encode(before)) + int(normalize_gen_kwargs(after, model.max_gen_toks)["max_gen_toks"])


def _too_long(requests: Sequence[Instance], model: HFLM) -> str | None:
    """The harness would cut a question at its beginning, and score another one."""
    longest = max(_length(request, model) for request in requests)
    if longest <= model.max_length:
        return None
    return f"{longest} tokens, the answer's included, are more than the model's {model.max_length} positions"


def _answer(requests: Sequence[Instance], model: HFLM, subject: Subject) -> None:
    """Put them to the model, those of one kind together."""
    kinds: dict[str, list[Instance]] = defaultdict(list)
    for request in requests:
        kinds[request.request_type] += [request] * (request.repeats or 1)
    for kind, same in kinds.items():
        longest = max(_length(request, model) for request in same)
        model.batch_size_per_gpu = max(1, subject.batch_tokens // longest)
        for request, response in zip(same, getattr(model, kind)(same, disable_tqdm=True), strict=True):
            request.resps.append(response)


def _filter(asked: Sequence[Asked]) -> None:
    """Read the answers in every way that their tasks do."""
    by_task: dict[int, list[Asked]] = defaultdict(list)
    for one in asked:
        by_task[id(one.question.task)].append(one)
    for own in by_task.values():
        task = own[0].question.task
        task._instances = [request for one in own for request in one.requests]
        task.apply_filters()
        task._instances = None


def _judged(asked: Asked) -> Judged:
    if asked.error:
        return Judged(error=asked.error)
    question, requests = asked.question, asked.requests
    task, first = question.task, asked.requests[0]
    found: Measures = {}
    for kept in first.filtered_resps:
        result = task.process_results(question.doc, [request.filtered_resps[kept] for request in requests])
        found |= measures(task, result, kept)
    if task.OUTPUT_TYPE == "multiple_choice":
        chosen, confidence = _chosen(question, [request.resps[0][0] for request in requests])
        return Judged(found, found=chosen, confidence=confidence)
    read = next(iter(first.filtered_resps.values()), None)
    said: Any = first.resps[0]
    return Judged(
        found,
        found=read if isinstance(read, str) and read != said else None,
        answer=said if isinstance(said, str) else None,
    )


def _chosen(question: Question, logprobs: Sequence[float]) -> tuple[str | None, float | None]:
    """The likeliest choice, and its share of the probability of all."""
    choices = choices_of(question.task, question.doc)
    own = logprobs[: len(choices)]
    top = max(own)
    share = 1 / sum(math.exp(one - top) for one in own)
    return choices[own.index(top)], share if math.isfinite(share) else None
