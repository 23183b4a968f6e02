"""Computations with an oracle, written as Python functions: what doubly-efficient debate is about.
Rule: computations and their names; no query is answered here, and no constant of a debate is known.

    @computation(worst=lambda x: x["n"], lipschitz=lambda x: x["n"])
    async def parity(ask: Ask, x: Any) -> bool:
        return sum([await ask(f"bit({i})") for i in range(x["n"])]) % 2 == 1

A computation awaits nothing but its oracle. Whoever runs it decides what a query's bit is: a debate, an exact sum over all
bits, a sampler. Transcripts name the computation and hold its input, so that a replay finds both.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Generator
from dataclasses import dataclass
from typing import Any

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.registry import find, register


class Asked:
    """One query to the oracle, awaited for its bit."""

    __slots__ = ("query",)

    def __init__(self, query: str) -> None:
        self.query = query

    def __await__(self) -> Generator[Asked, bool, bool]:
        return (yield self)


Ask = Callable[[str], Asked]
"""What a computation is given to ask its oracle with: `bit = await ask("item(3)")`, True with the oracle's probability."""

Function = Callable[[Ask, Any], Coroutine[Any, Any, bool]]


@dataclass(frozen=True)
class Computation:
    """A registered computation. worst: from an input to the most queries that it makes on any path. lipschitz: from an
    input to K, where moving every probability of the oracle by at most e moves that of the answer True by at most K e.
    Each query is moved on its own, also one that is asked again, and by what came before it: so may a debater. The number
    of queries is always such a K, and is taken when nothing better is known (None)."""

    name: str
    function: Function
    worst: Callable[[Any], int]
    lipschitz: Callable[[Any], float] | None = None

    @property
    def __wrapped__(self) -> Function:
        return self.function

    def queries(self, x: Any) -> int:
        """The most queries on input x, at least 1. UsageError when x is no input of this computation."""
        most = self._of(self.worst, x)
        if not isinstance(most, int) or isinstance(most, bool) or most < 1:
            raise UsageError(f"computation {self.name}: worst({x!r}) is {most!r}; it must be an integer of at least 1")
        return most

    def constant(self, x: Any) -> float:
        """The Lipschitz constant K on input x. UsageError when x is no input of this computation, or K is not above 0."""
        k = float(self.queries(x) if self.lipschitz is None else self._of(self.lipschitz, x))
        if not 0 < k < float("inf"):
            raise UsageError(f"computation {self.name}: lipschitz({x!r}) is {k}; it must be a number above 0")
        return k

    def _of(self, function: Callable[[Any], Any], x: Any) -> Any:
        try:
            return function(x)
        except UsageError:
            raise
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise UsageError(f"computation {self.name}: its input cannot be {x!r} ({problem})") from None

    def run(self, x: Any) -> Generator[str, bool, bool]:
        """The computation on input x as a generator: it yields each query, is sent the bit, and returns the answer.

        UsageError when it awaits anything but its oracle, asks what is no text, or does not answer True or False.
        """
        running = self.function(Asked, x)
        bit: bool | None = None
        try:
            while True:
                asked: Any = running.send(bit)
                if type(asked) is not Asked:
                    raise UsageError(f"computation {self.name} awaited {asked!r}; it may await only `ask(query)`")
                if type(asked.query) is not str or not asked.query:
                    raise UsageError(f"computation {self.name} asked {asked.query!r}; a query is a text")
                bit = yield asked.query
        except StopIteration as stop:
            answer = stop.value
        finally:
            running.close()
        if type(answer) is not bool:
            raise UsageError(f"computation {self.name} answered {answer!r}; its answer is True or False")
        return answer


def computation(
    *, worst: Callable[[Any], int], lipschitz: Callable[[Any], float] | None = None, name: str | None = None
) -> Callable[[Function], Computation]:
    """Register an async function of `ask` and an input as a computation, called as the function is unless `name` says
    otherwise. UsageError when it is no async function."""

    def made(function: Function) -> Computation:
        if not inspect.iscoroutinefunction(function):
            raise UsageError(f"computation: {function!r} is no async function of ask and an input")
        found = Computation(name or function.__name__, function, worst, lipschitz)
        register("computation", found.name, found)
        return found

    return made


def computation_named(name: str) -> Computation:
    """The computation called `name`. Raises UsageError when there is none, or two."""
    found: Computation = find("computation", name)
    return found
