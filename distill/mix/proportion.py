"""rows that are there -> those that are learnt: people's and teachers' in the stated proportion, and as many as are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from distill.errors import DistillError
from distill.mix.earlier import shuffled
from distill.rows import Row


def proportioned(
    fixed: Sequence[Row], there: Sequence[Row], real: Sequence[Row], fraction: float, rows: int | None, seed: int
) -> list[Row]:
    """Rows that are learnt: what is there, with real rows to make up the fraction; so many of them where a number is given,
    or fewer, where there are no more.

    Args:
        fixed: rows that are learnt in any case.
        there: the teacher's rows and others of earlier runs, real ones too.
        real: other real rows, in the order that they are taken in.
        rows: in all; all that there are when None.

    Raises:
        DistillError: too few real rows for the fraction.
    """
    if rows is not None:
        return _drawn(fixed, there, real, fraction, rows, seed)
    made, own = of("teacher", [*fixed, *there]), of("real", [*fixed, *there])
    if fraction == 1:
        return [*own, *real]
    needed = real_rows(fraction, len(made), len(own) + len(real))
    return [*made, *own, *real[: max(0, needed - len(own))]]


def _drawn(
    fixed: Sequence[Row], there: Sequence[Row], real: Sequence[Row], fraction: float, rows: int, seed: int
) -> list[Row]:
    """So many rows: the fixed ones, some of those there, and as many real ones more as the fraction asks for, which take the
    place of the teacher's that were drawn last. Real rows among those there go before others."""
    wanted = round(fraction * rows)
    if len(of("teacher", fixed)) > rows - wanted:
        raise DistillError(
            f"mix.earlier brings {len(of('teacher', fixed))} rows of teachers, and mix.rows {rows} with real_fraction "
            f"{fraction:g} has room for {rows - wanted}",
            where="mix",
            hint="ask for fewer of them, lower mix.real_fraction, or raise mix.rows",
        )
    ordered = shuffled(there if fraction < 1 else of("real", there), seed, "draw")
    drawn, rest = ordered[: rows - len(fixed)], ordered[rows - len(fixed) :]
    missing = max(0, wanted - len(of("real", [*fixed, *drawn])))
    more = [*of("real", rest), *real][:missing]
    spared = of("teacher", drawn)
    out = {row.id for row in spared[len(spared) - max(0, len(fixed) + len(drawn) + len(more) - rows) :]}
    return [*fixed, *(row for row in drawn if row.id not in out), *more]


def of(source: str, rows: Sequence[Row]) -> list[Row]:
    """Those that people, or teachers, wrote."""
    return [row for row in rows if row.provenance.source == source]


def real_rows(fraction: float, teacher: int, there: int) -> int:
    """How many real rows make up a fraction of the mix beside so many of the teacher's.

    Raises:
        DistillError: there are fewer; says which fraction they would make.
    """
    needed = round(fraction / (1 - fraction) * teacher)
    if needed > there:
        # Rounded down, so that what is suggested fits.
        fits = int(1000 * there / (there + teacher)) / 1000
        raise DistillError(
            f"real_fraction {fraction:g} beside {teacher} teacher rows needs {needed} real rows, not {there}",
            where="mix",
            hint=f"set mix.real_fraction to {fits:g} or less, give more real data, or ask for fewer generate.rows",
        )
    return needed
