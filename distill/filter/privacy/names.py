"""Names of people, by presidio-analyzer and a spaCy model: guesses, and a thousand times dearer than the sure kinds.

The model must be installed; nothing is fetched. It knows its language alone: an English model finds few Hindi names.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
from collections.abc import Callable
from importlib import metadata
from typing import Any

from distill.errors import DistillError
from distill.filter.privacy.found import NAME, PLACEHOLDER, Found

SURE = 0.5
"""Least score that presidio gives a name; spaCy's own finds have 0.85."""
LONGEST = 100_000
"""Characters that are read at once: spaCy needs about a kilobyte of memory for each."""


def people(model: str) -> Callable[[str], list[Found]]:
    """What finds the names of people in a text.

    Raises:
        DistillError: presidio-analyzer or the model is not installed, or the model in another version.
    """
    package, _, version = model.partition("@")
    _require(package, version)
    analyzer = _analyzer(package)

    def found(text: str) -> list[Found]:
        finds = []
        for start in range(0, len(text), LONGEST):
            part = text[start : start + LONGEST].encode("utf-8", "replace").decode("utf-8")
            people = analyzer.analyze(part, language="en", entities=["PERSON"], score_threshold=SURE)
            finds += [Found(NAME, start + one.start, start + one.end) for one in people]
        # Or a placeholder would be a name, and that one's too, without end.
        taken = [match.span() for match in PLACEHOLDER.finditer(text)]
        return [one for one in finds if not any(start < one.end and one.start < end for start, end in taken)]

    return found


def _require(model: str, version: str) -> None:
    where = "filter (privacy, names: true)"
    hint = (
        f"pip install presidio-analyzer, then python -m spacy download {model}-{version} --direct; or set names: false"
    )
    for package in ("presidio_analyzer", model):
        if importlib.util.find_spec(package) is None:
            raise DistillError(f"finding names needs the package {package}, which is not installed", where, hint)
    if (found := metadata.version(model)) != version:
        raise DistillError(f"{model} is there in version {found}, and {version} is asked for", where, hint)


def _analyzer(model: str) -> Any:
    presidio = importlib.import_module("presidio_analyzer")
    engines = importlib.import_module("presidio_analyzer.nlp_engine")
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    configuration = {"nlp_engine_name": "spacy", "models": [{"lang_code": "en", "model_name": model}]}
    engine = engines.NlpEngineProvider(nlp_configuration=configuration).create_engine()
    return presidio.AnalyzerEngine(nlp_engine=engine)
