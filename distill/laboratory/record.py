"""What a laboratory found, as typed values: laboratory.json and sweep.json, from which every page is made.

    Laboratory                 laboratory.json
      items, references        what all cells are measured on, and what people wrote to the prompts of the samples
      cells                    keep x real fraction x seed x generation, each an ordinary run
    Sweep                      sweep.json: share of teacher rows x seed at equal budget

It knows nothing of runs and folders: whoever ran the cells fills it in. Cells may be missing: a page says which.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self, TypeVar

from pydantic import Field, ValidationError, model_validator

from distill.compare.value import Value
from distill.errors import CompareError
from distill.laboratory.keeping import Keep
from distill.statistics.scores import Scores

LABORATORY = "laboratory.json"
SWEEP = "sweep.json"


class Item(Value):
    """One real held-out answer or text, which every cell is measured on."""

    id: str
    root: str
    """What it shares with those that are not independent of it: its prompt, its document."""
    tokens: int = Field(gt=0)
    """Its weight in a loss per token."""


class Sample(Value):
    """What a model, or people, wrote to a prompt."""

    prompt: str
    text: str


class Cell(Value):
    """One student: trained, measured on real held-out text, and the rows it was trained on looked at."""

    keep: Keep
    real_fraction: float = Field(ge=0, lt=1)
    seed: int
    generation: int = Field(ge=0)
    """0 is the model before any model's rows. It is the same for every keep and real fraction: one cell a seed is enough."""
    loss: float
    """Nats per token on real held-out text."""
    losses: tuple[float | None, ...] = ()
    """Of every item of the laboratory, in their order, in nats per token; None where it was not scored. Empty: not known."""
    rare_loss: float | None = None
    """On the decile of items with the rarest words."""
    train_loss: float | None = None
    """Nats per token on what it was trained on, at the end; None where it did not learn by that loss, on all tokens."""
    rows: int = Field(0, ge=0)
    """That it was trained on; 0 where it was not trained."""
    real_rows: int = Field(0, ge=0)
    """Of them, those that people wrote."""
    measures: dict[str, float] = {}
    """How varied the rows are that this generation's teacher wrote, by the measures of `distill.collapse.panel`. Of generation
    0, people's rows."""
    people: dict[str, float] = {}
    """The same measures of people's rows, in samples of the same number and lengths."""
    samples: tuple[Sample, ...] = ()
    """Rows of this generation, which its teacher wrote: to prompts that are the same in all cells."""
    seconds: float = Field(0.0, ge=0)
    """Of all its stages when they ran, from the cache or not."""
    resumed: bool = False
    """Whether all of it came from the cache."""
    run: str = ""
    """Its run's name."""


class Recorded(Value):
    """What a laboratory and a sweep have in common."""

    version: Literal[1] = 1
    name: str
    settings: dict[str, str] = {}
    """What a reader must know of how it was made, by name: model, data, objective, steps, sampling."""
    items: tuple[Item, ...] = ()

    def to_json(self) -> str:
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    def scores(self, losses: tuple[float | None, ...]) -> Scores | None:
        """Losses by item as `distill.statistics` takes them; None where none is known."""
        found = [(item, loss) for item, loss in zip(self.items, losses, strict=False) if loss is not None]
        if not found:
            return None
        return Scores(
            [item.id for item, _ in found],
            [loss for _, loss in found],
            [float(item.tokens) for item, _ in found],
            [item.root for item, _ in found],
        )

    def _check(self, places: list[tuple[object, ...]], losses: Iterator[tuple[float | None, ...]]) -> None:
        """Raises:
        ValueError: a place is there twice, or losses are not those of the items."""
        twice = sorted({str(place) for place in places if places.count(place) > 1})
        if twice:
            raise ValueError(f"there is more than one result of {', '.join(twice)}")
        if any(len(one) not in (0, len(self.items)) for one in losses):
            raise ValueError(f"losses are of another number than the {len(self.items)} items")


class Laboratory(Recorded):
    cells: tuple[Cell, ...]
    base_loss: float | None = None
    """Of the student's base before any training, in nats per token on the same items."""
    references: tuple[Sample, ...] = ()
    """What people wrote to the prompts of the samples."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        places: list[tuple[object, ...]] = [
            (cell.keep, cell.real_fraction, cell.seed, cell.generation) for cell in self.cells
        ]
        self._check(places, (cell.losses for cell in self.cells))
        return self


class Mixed(Value):
    """A student of a sweep: as many rows as every other, a share of them the teacher's."""

    share: float = Field(ge=0, le=1)
    """Teacher rows as a share of all that it was trained on."""
    seed: int
    loss: float
    """Nats per token on real held-out text."""
    losses: tuple[float | None, ...] = ()
    """As a cell's."""
    rows: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    run: str = ""


class Sweep(Recorded):
    points: tuple[Mixed, ...]

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._check([(point.share, point.seed) for point in self.points], (point.losses for point in self.points))
        return self


Kind = TypeVar("Kind", bound=Recorded)


def read(kind: type[Kind], path: Path) -> Kind:
    """laboratory.json or sweep.json -> the value.

    Raises:
        CompareError: it is not one of this version.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise CompareError(
            f"not a {kind.__name__.lower()} of this version: {place}: {first['msg']}",
            where=str(path),
            hint="run it again: what is cached is not computed anew",
        ) from error
