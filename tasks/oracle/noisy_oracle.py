"""Computations with a noisy oracle, as questions: is the answer True with probability at least 2/3, or at most 1/3?
Rule: the tasks alone; what they compute is in `computations.py`, their programs in `programs.py`.

They are what doubly-efficient debate is played on (Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125). The
oracle is a table of exact probabilities, so that the probability of the answer can be computed exactly. The programs that
debate them draw their samples from it as binomial numbers, seeded by the step: a play takes milliseconds."""

from abc import abstractmethod
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache
from random import Random
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.computations import computation_named
from moot.protocols.games.doubly_efficient import Check, Probability
from moot.tasks.arithmetic.binomial import binomial
from moot.tasks.base import Task
from moot.tasks.family import whole
from moot.tasks.oracle.computations import above, chance, exact, number_of
from moot.tasks.programs.play import Play, Program, ruled


def oracle_p(request: Request) -> float:
    """The oracle's probability of a 1 for the query of this step; for those who see the data."""
    data: Any = request.view.question.data
    query = request.brief["details"]["query"]
    try:
        return number_of(data["oracle"][query])
    except (KeyError, TypeError):
        raise UsageError(f"step {request.step}: the data has no oracle that answers {query!r}") from None


@lru_cache(maxsize=256)
def _checked(accept: bool, queries: int) -> Check:
    return Check(accept=accept, queries=queries)


class Honest(Program):
    """Both debaters as the theorem has them: Alice states a mean of samples, Bob holds a mean of his own against it.
    draws: where its samples come from, given the request; by default the step's seed."""

    def __init__(self, draws: Callable[[Request], Random] | None = None) -> None:
        self.draws = draws or (lambda request: Random(request.seed))

    def act(self, request: Request) -> Move:
        if Probability in request.kinds:
            return self.estimate(request)
        if Check in request.kinds:
            return self.check(request)
        raise UsageError(f"step {request.step}: this program states and checks estimates, and was asked for neither")

    def mean(self, request: Request, p: float) -> float:
        """The mean of as many samples of probability p as the protocol prescribes."""
        count: int = request.brief["details"]["samples"]
        return binomial(self.draws(request), count, p) / count

    def estimate(self, request: Request) -> Probability:
        told = request.brief["details"]
        return Probability(of=told["query"], p=self.mean(request, oracle_p(request)), queries=told["samples"])

    def check(self, request: Request) -> Check:
        told, said = request.brief["details"], request.view[-1].move
        assert isinstance(said, Probability)
        return _checked(abs(said.p - self.mean(request, oracle_p(request))) < told["within"], told["samples"])


def step_at(request: Request, at: int | None) -> bool:
    """Whether this is step `at`; a negative one is counted from the most steps that the computation can have."""
    data: Any = request.view.question.data
    if at is not None and at < 0:
        at += computation_named(data["computation"]).queries(data["input"])
    return bool(request.brief["details"]["step"] == at)


class Shifting(Honest, records=("shift", "at", "exactly")):
    """An Alice whose estimates are off by `shift`, cut to [0, 1]: at step `at` only (from the end when negative), or at
    every step (None). exactly: she shifts the oracle's own probability, and asks nothing."""

    def __init__(self, shift: float = 1.0, at: int | None = -1, exactly: bool = False, **options: Any) -> None:
        super().__init__(**options)
        self.shift, self.at, self.exactly = shift, at, exactly

    def estimate(self, request: Request) -> Probability:
        here = self.at is None or step_at(request, self.at)
        exact = Probability(of=request.brief["details"]["query"], p=oracle_p(request)) if self.exactly else None
        said = exact or super().estimate(request)
        return said.model_copy(update={"p": min(1.0, max(0.0, said.p + self.shift))}) if here else said


class Aborting(Honest, records=("at", "chance")):
    """A Bob who asks the oracle nothing and challenges at step `at` (from the end when negative), or with `chance` at each
    step, drawn from its seed; at=None and no chance accept everything."""

    def __init__(self, at: int | None = 0, chance: float = 0.0, **options: Any) -> None:
        super().__init__(**options)
        self.at, self.chance = at, chance

    def check(self, request: Request) -> Check:
        here = step_at(request, self.at)
        return Check(accept=not here and not (self.chance and self.draws(request).random() < self.chance))


class Vera(Honest):
    """The judge, Vera: samples the one probability that is challenged, and finds for Alice when she was near enough."""

    def act(self, request: Request) -> Verdict:
        view, told = request.view, request.brief["details"]
        said = view[-1].move
        assert isinstance(said, Probability)
        mean = self.mean(request, number_of(view.look("oracle", told["query"])))
        why = f"{told['samples']} samples: {mean:.6g} against {said.p:.6g}"
        return ruled(view.question, "yes", abs(said.p - mean) < told["within"], why)


class OracleTask(Task):
    """Does a computation with a noisy oracle answer True with probability at least 2/3 (yes), or at most 1/3 (no)?
    The data names the computation and its input, and holds the oracle: from query to the probability of a 1, as a fraction."""

    complexity_class: ClassVar[str] = "P"
    example = "likely()"
    own = {"honest": Honest, "shifting": Shifting, "aborting": Aborting, "vera": Vera}
    reads: ClassVar[str] = "3"
    source: ClassVar[str] = "Brown-Cohen, Irving and Piliouras 2023, arXiv 2311.14125"
    computed: ClassVar[str]
    fewest: ClassVar[int] = 1
    odd: ClassVar[bool] = False  # whether n is

    @abstractmethod
    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        """Probabilities by query, of an instance with this answer."""

    def count(self, data: Any) -> int:
        queries = computation_named(self.computed).queries(data["input"])
        if data["computation"] != self.computed or len(data["oracle"].keys()) < queries:
            raise ValueError(f"{self.computed} and an oracle that answers {queries} queries are wanted")
        return whole(data["input"]["n"])

    def data(self, size: int, random: Random) -> dict[str, Any]:
        n = max(self.fewest, size | self.odd)
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
    odd = True
    largest = 999
    plays = {"doubly-efficient": Play(_PLAYED, "106000*n + 1")}
    about = _ABOUT.format("walk goes up or down by up(0), up(1), …; its answer is whether it ends above the start.")

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
    fewest = 2
    largest = 6
    plays = {"doubly-efficient": Play(_PLAYED, "26500*n^4 + 1")}
    about: ClassVar[str] = _ABOUT.format(
        "sorting inserts items 0 to n-1 by the comparisons less(i,j), i being the later item; its answer is whether item 0 "
        "ends up first."
    )

    def oracle(self, n: int, true: bool, random: Random) -> dict[str, str]:
        ranks = random.sample(range(1, n), n - 1)
        ranks.insert(0, 0)
        if not true:
            other = random.randrange(1, n)
            ranks[0], ranks[other] = ranks[other], ranks[0]
        pairs = ((i, j) for i in range(n) for j in range(i))
        return {f"less({i},{j})": "99/100" if ranks[i] < ranks[j] else "1/100" for i, j in pairs}
