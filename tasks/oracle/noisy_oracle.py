"""Computations with a noisy oracle, as questions: is the answer True with probability at least 2/3, or at most 1/3?
Rule: the tasks alone; what they compute is in `computations.py`, their programs in `programs.py`.

They are what doubly-efficient debate is played on (Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125). The
oracle is a table of exact probabilities, so that the probability of the answer can be computed exactly."""

from abc import abstractmethod
from fractions import Fraction
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.games.computations import computation_named
from moot.tasks.base import Task
from moot.tasks.oracle.computations import above, chance, exact
from moot.tasks.oracle.programs import Aborting, Honest, Shifting, Vera
from moot.tasks.programs.play import Play


class OracleTask(Task):
    """Does a computation with a noisy oracle answer True with probability at least 2/3 (yes), or at most 1/3 (no)?
    The data names the computation and its input, and holds the oracle: from query to the probability of a 1, as a fraction."""

    complexity_class: ClassVar[str] = "P"
    example = "likely()"
    own = {"honest": Honest, "shifting": Shifting, "aborting": Aborting, "vera": Vera}
    reads: ClassVar[str] = "3"
    source: ClassVar[str] = "Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125"
    computed: ClassVar[str]

    @abstractmethod
    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        """Probabilities by query, of an instance with this answer."""

    def rounded(self, size: int) -> int:
        """The n of an instance that was asked for at `size`."""
        return size

    def size(self, data: Any, size: int) -> int:
        return int(data["input"]["n"])

    def data(self, size: int, random: Random) -> dict[str, Any]:
        n = self.rounded(size)
        oracle = self.oracle(n, random.random() < 0.5, random)
        return {"computation": self.computed, "input": {"n": n}, "oracle": oracle}

    def probability(self, data: Any) -> Fraction:
        """The exact probability that the computation answers True. UsageError where it cannot be computed."""
        return exact(computation_named(data["computation"]), data["input"], lambda query: chance(data, query))

    def truth(self, data: Any, text: str) -> str:
        self.match(text)
        likely = self.probability(data)
        if Fraction(1, 3) < likely < Fraction(2, 3):
            raise UsageError(
                f"the answer is True with probability {likely}; only 2/3 and more, or 1/3 and less, will do"
            )
        return "yes" if likely >= Fraction(2, 3) else "no"


_PLAYED = {"debater": "honest", "judge": "vera"}
_ABOUT = (
    "The data names a computation, its input, and the oracle: for each query the probability that the bit is 1. {} likely() "
    "asks whether the computation's answer is True with probability at least 2/3; if not, it is at most 1/3. The answer is "
    "yes or no."
)


class OracleChain(OracleTask):
    """A chain of n bits, of which the last is the answer, with probability 2/3 or 1/3: K = 1."""

    name: ClassVar[str] = "oracle-chain"
    computed: ClassVar[str] = "chain"
    largest = 100_000
    plays = {"doubly-efficient": Play(_PLAYED, "106000 + 1")}
    about: ClassVar[str] = _ABOUT.format("chain asks for bit(0) to bit(n-1), and its answer is the last of them.")

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        table = {f"bit({step})": f"{random.randint(1, 7)}/8" for step in range(n - 1)}
        return {**table, f"bit({n - 1})": "2/3" if true else "1/3"}

    def probability(self, data: Any) -> Fraction:
        return chance(data, f"bit({data['input']['n'] - 1})")


class OracleWalk(OracleTask):
    """A walk of n steps, n odd, each up with one and the same probability: does it end above where it began?
    K^2 is at most n, so that the judge's queries are linear in n. The probabilities are 1/2 plus or minus a few 64ths,
    the least for which the answer is sure enough, or up to three more."""

    name: ClassVar[str] = "oracle-walk"
    computed: ClassVar[str] = "walk"
    largest = 999
    plays = {"doubly-efficient": Play(_PLAYED, "106000*n + 1")}
    about = _ABOUT.format("walk goes up or down by up(0), up(1), …; its answer is whether it ends above the start.")

    def rounded(self, size: int) -> int:
        return size | 1

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        least = next(step for step in range(1, 33) if above(n, Fraction(32 + step, 64)) >= Fraction(2, 3))
        up = Fraction(32 + min(32, least + random.randint(0, 3)) * (1 if true else -1), 64)
        return {f"up({step})": str(up) for step in range(n)}

    def probability(self, data: Any) -> Fraction:
        n = data["input"]["n"]
        ups = {chance(data, f"up({step})") for step in range(n)}
        if len(ups) != 1:
            raise UsageError("a walk needs one probability for all its steps: its Lipschitz constant rests on that")
        return above(n, ups.pop())


class OracleSort(OracleTask):
    """Insertion sort of n items, 2 to 6, by comparisons that are right with probability 99/100: does item 0 come first?
    K is the number of comparisons, n (n - 1) / 2 at most."""

    name: ClassVar[str] = "oracle-sort"
    computed: ClassVar[str] = "sorting"
    largest = 6
    plays = {"doubly-efficient": Play(_PLAYED, "26500*n^4 + 1")}
    about: ClassVar[str] = _ABOUT.format(
        "sorting inserts items 0 to n-1 by the comparisons less(i,j), i being the later item; its answer is whether item 0 "
        "ends up first."
    )

    def rounded(self, size: int) -> int:
        return max(2, size)

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        ranks = random.sample(range(1, n), n - 1)
        ranks.insert(0, 0)
        if not true:
            other = random.randrange(1, n)
            ranks[0], ranks[other] = ranks[other], ranks[0]
        pairs = ((i, j) for i in range(n) for j in range(i))
        return {f"less({i},{j})": "99/100" if ranks[i] < ranks[j] else "1/100" for i, j in pairs}
