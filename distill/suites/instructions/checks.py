"""the id of an instruction and its arguments -> a check of an answer. The ids, and their arguments, are IFEval's.

check("length_constraints:number_words", {"num_words": 50, "relation": "less than"})("Few words.")  ->  True
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from distill.suites.instructions import counts, form, wording

CHECKS: Mapping[str, Callable[..., bool]] = MappingProxyType(
    {
        "change_case:capital_word_frequency": wording.capital_word_frequency,
        "change_case:english_capital": wording.english_capital,
        "change_case:english_lowercase": wording.english_lowercase,
        "combination:repeat_prompt": form.repeat_prompt,
        "combination:two_responses": form.two_responses,
        "detectable_content:number_placeholders": counts.number_placeholders,
        "detectable_content:postscript": form.postscript,
        "detectable_format:constrained_response": form.constrained_response,
        "detectable_format:json_format": form.json_format,
        "detectable_format:multiple_sections": counts.multiple_sections,
        "detectable_format:number_bullet_lists": counts.number_bullet_lists,
        "detectable_format:number_highlighted_sections": counts.number_highlighted_sections,
        "detectable_format:title": form.title,
        "keywords:existence": wording.existence,
        "keywords:forbidden_words": wording.forbidden_words,
        "keywords:frequency": wording.frequency,
        "keywords:letter_frequency": wording.letter_frequency,
        "language:response_language": wording.response_language,
        "length_constraints:nth_paragraph_first_word": counts.nth_paragraph_first_word,
        "length_constraints:number_paragraphs": counts.number_paragraphs,
        "length_constraints:number_sentences": counts.number_sentences,
        "length_constraints:number_words": counts.number_words,
        "punctuation:no_comma": wording.no_comma,
        "startend:end_checker": form.end_checker,
        "startend:quotation": form.quotation,
    }
)


def check(name: str, arguments: Mapping[str, Any]) -> Callable[[str], bool]:
    """The check with its arguments; one that is null is not given, as data sets on the hub write it.

    Raises:
        ValueError: arguments that are missing, unknown, or of another type.
    """
    from pydantic import TypeAdapter, ValidationError

    function = CHECKS[name]
    wanted = dict(list(inspect.signature(function, eval_str=True).parameters.items())[1:])
    given = {key: value for key, value in arguments.items() if value is not None}
    if given.keys() != wanted.keys():
        raise ValueError(f"{name} takes {', '.join(wanted) or 'no arguments'}, not {', '.join(given) or 'none'}")
    try:
        # A table without types gives 3.0 for 3.
        read = {key: TypeAdapter(wanted[key].annotation).validate_python(value) for key, value in given.items()}
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise ValueError(f"{name}: {problem['msg']} (found {problem['input']!r})") from error
    return partial(_hold, function, read)


def _hold(function: Callable[..., bool], arguments: Mapping[str, Any], answer: str) -> bool:
    """An answer that says nothing follows no instruction."""
    return bool(answer.strip()) and function(answer, **arguments)


def loosely(answer: str) -> Iterator[str]:
    """What an answer may be read as: without a first or a last line that only leads to it or takes leave, and without the
    asterisks of Markdown."""
    lines = answer.split("\n")
    for part in (lines, lines[1:], lines[:-1], lines[1:-1]):
        text = "\n".join(part).strip()
        yield text
        yield text.replace("*", "")
