"""An array that grows at its end, by half when it is full."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy.typing as npt


class Growing:
    def __init__(self, empty: npt.NDArray[Any]) -> None:
        """`empty`: (0, ...) of the type and the width of what will come."""
        self._held, self._used = empty, 0

    def __len__(self) -> int:
        return self._used

    @property
    def view(self) -> npt.NDArray[Any]:
        """What is in it, without a copy: to be read before more is added."""
        return self._held[: self._used]

    def extend(self, more: npt.NDArray[Any]) -> None:
        import numpy as np

        used = self._used + len(more)
        if used > len(self._held):
            grown = np.empty((max(used, len(self._held) * 3 // 2), *self._held.shape[1:]), dtype=self._held.dtype)
            grown[: self._used] = self.view
            self._held = grown
        self._held[self._used : used] = more
        self._used = used
