"""Who judges which answers of which arms: the recipe's `evaluate.judge`, and what decides the node."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from distill import templates
from distill.engines.teacher import Teacher
from distill.rows import Frozen, digest
from distill.suites.kinds import AnySuite

PROMPTS = Path(__file__).parent / "prompts"
KIND, VERDICT = "pairwise", "verdict"
CONTROLS = 100
"""Most items that each control is run on: as many show a judge that fails."""
Pair = tuple[str, str]


class Labels(Frozen):
    """Pairs of answers of which people have said which they prefer. Each field names a column or is Jinja over the columns."""

    data: str
    """Reference to a file or folder (JSONL, JSON, CSV, Parquet, YAML)."""
    question: str = "question"
    """What was asked."""
    a: str = "a"
    """One answer."""
    b: str = "b"
    """The other."""
    preferred: str = "preferred"
    """`a`, `b` or `tie`."""


class Judge(Frozen):
    """A model that says which of two answers is better, asked in both orders."""

    by: str
    """Name of the model that judges, under `teachers`: through any engine."""
    suites: tuple[str, ...] = ()
    """Suites whose answers are judged, by their names; all that are answered when not given. A prompt that several suites
    ask is judged once."""
    items: int = Field(200, gt=0)
    """Items of each suite that are judged, the first by hash."""
    pairs: tuple[Pair, ...] = Field((("student", "base"), ("student", "teacher")), min_length=1)
    """Arms that are compared. The controls are run on the answers of the first arm."""
    template: str | None = None
    """Jinja text in place of the prompt file; it is told `before`, `question`, `first` and `second`, and may hold several
    turns (`[user]`, `[assistant]`) with worked examples."""
    max_new_tokens: int = Field(160, gt=0)
    """Room for the reason and the choice."""
    labels: Labels | None = None
    """Pairs by people, against which the judge is held."""

    @model_validator(mode="after")
    def _possible(self) -> Self:
        for one, other in self.pairs:
            if one == other:
                raise ValueError(f"the pair [{one}, {other}] is an arm against itself; that control is always run")
        if len(set(map(frozenset, self.pairs))) < len(self.pairs):
            raise ValueError("pairs: two of them are of the same arms")
        if self.template is not None:
            # Filled in once, so that a name it does not have is found now and not after all arms.
            templates.turns(self.template, "template", before="", question="?", first="this", second="that")
        return self

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm that is compared, once."""
        return tuple(dict.fromkeys(arm for pair in self.pairs for arm in pair))

    @property
    def text(self) -> str:
        """What the judge is told, as a template."""
        return self.template or templates.shipped(PROMPTS, KIND, VERDICT)

    @property
    def references(self) -> tuple[str, ...]:
        """Data that it reads."""
        return (self.labels.data,) if self.labels else ()

    def questions(self, suites: int) -> int:
        """Most that the judge is asked about so many suites, labelled pairs apart: both orders of every pair and of two
        controls, one of the third."""
        items = self.items * suites
        return 2 * len(self.pairs) * items + 5 * min(items, CONTROLS)


class Spec(Frozen):
    judge: Judge
    teachers: dict[str, Teacher]
    """The model that judges, by its name."""
    suites: tuple[AnySuite, ...]
    """Those whose answers are judged."""
    against: dict[str, str] = {}
    """References to the models that a judge should not be related to, by what they are: `teacher`, `student`."""
    prompt: str
    """Hash of the text that the judge is told: an edited prompt file makes new verdicts."""


def prompt_digest(judge: Judge) -> str:
    return digest(judge.text)[:16]
