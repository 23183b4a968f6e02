"""numpy for the modules of this room, which can be imported without it and then say what is missing when they are used.

Rule of this file: nothing but numpy, its array types, and how many threads it takes."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from moot.tasks.extras import needed

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Integers = NDArray[np.integer]
else:
    Floats = Integers = Any
    try:
        import numpy as np
    except ModuleNotFoundError:

        class _Missing:
            def __getattr__(self, name: str) -> object:
                if name.startswith("__"):
                    raise AttributeError(name)
                return getattr(needed("numbers in arrays need", "numpy"), name)

        np = _Missing()


def one_thread() -> AbstractContextManager[object]:
    """While it is open, matrices are multiplied by one thread: those of a search are so small that several threads, which
    wait for each other by spinning, take up to ten times as long wherever a core is busy."""
    limits: AbstractContextManager[object] = needed("this search needs", "threadpoolctl").threadpool_limits(1, "blas")
    return limits


__all__ = ["Floats", "Integers", "np", "one_thread"]
