"""`moot.Study`: a grid of plays with its agents, run in a folder, taken up again, judged again, and read.

Rule of this file: what a researcher types; the design is data (`design.py`), and whatever is known is in the folder.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from moot.agents.base import describe
from moot.agents.models.batches.batch import Batch
from moot.agents.money.cap import Cap, pricing
from moot.agents.money.models import models_in
from moot.play.run import Backend, in_loop
from moot.protocols.engine import __version__
from moot.protocols.engine.base import Protocol
from moot.protocols.engine.errors import UsageError, near
from moot.protocols.engine.question import Question, Sample
from moot.studies.cluster.launching import Executor
from moot.studies.cluster.pool import Pool
from moot.studies.design import Both, Design, hashed, plain
from moot.studies.folder import adopt, owned, rows_in
from moot.studies.grid import Arm, Seated, Where, flipped, product, questions_of, seated
from moot.studies.index import Index
from moot.studies.results.gates import gates_of
from moot.studies.rows import Row
from moot.studies.running import Have, Progress, Run, under
from moot.studies.watch import board
from moot.tasks.extras import gathered
from moot.transcripts.store import Fsync


def _gates(given: Any) -> tuple[dict[str, Any], ...]:
    if not isinstance(given, (list, tuple)) or not all(isinstance(each, Mapping) for each in given):
        raise UsageError(f"gates is {given!r:.100}; it must be a list of gates, in a file [[gates]]")
    for each in given:
        plain(dict(each), f"gate {each.get('name')!r}")
    return tuple(map(dict, given))


class Study:
    """A study: questions × arms × epochs, with both seatings and both orders of the answers where that is asked for.

    name: of the study, which its folder belongs to. questions: samples or questions; each needs a name of its own (its id, or
    its text). arms: by name, `moot.Arm`; or their product, from `protocols` (by name), `seats` (seat or role to an agent, or a list of
    them), and `params` (parameter to a list of values). agents: by name, so that seats can name them. seed: decides every coin; all
    arms share the coins of a question. epochs: plays of each cell, with seeds of their own. seatings: "both" plays again with the agents of
    the two rival seats exchanged; flips: "both" with the answers listed in the other order, everybody in their seats. where: a function of
    {arm, axes, question, tags, epoch, swapped, flip} that says which cells there are. gates: what is to be
    reported, as stated beforehand (`Study.gate`). allow: checkers of free answers that may run code (`moot.graded`). judging: what is
    said of the people in it, for `moot judge serve`, which reads it; files in it are named from the folder `beside`.

    A cell is addressed by what it is made of: protocol, parameters, question, the identities of its agents, seed. So a finished one never runs
    again, a change to one axis runs what is new, and a model's host or price change nothing. Raises UsageError on an empty axis, on two arms that
    differ in nothing, and on whatever cannot sit where it is put.
    """

    def __init__(
        self, name: str, questions: Iterable[Sample | Question], arms: Mapping[str, Arm] | None = None, *,
        protocols: Mapping[str, Protocol] | None = None, seats: Mapping[str, Any] | None = None,
        params: Mapping[str, Sequence[Any]] | None = None, agents: Mapping[str, Any] | None = None, seed: int = 0, epochs: int = 1,
        seatings: Both = "one", flips: Both = "one", where: Where | None = None, gates: Sequence[Mapping[str, Any]] = (),
        allow: Collection[str] = (), judging: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(name, str) or not name.strip():
            raise UsageError(f"a study needs a name; this is {name!r}")
        plain(name, "the name of the study")
        for what, number, least in (("seed", seed, None), ("epochs", epochs, 1)):
            if type(number) is not int or (least is not None and number < least):
                raise UsageError(
                    f"{what} is {number!r}; it must be a whole number" + (f" of at least {least}" if least else "")
                )
        for what, value in (("seatings", seatings), ("flips", flips)):
            if value not in ("one", "both"):
                raise UsageError(f'{what} is {value!r}; it is "one" or "both"')
        self.name, self.agents, self.where, self.allow = name, dict(agents or {}), where, tuple(allow)
        self.seatings: Both = seatings
        for what, given in (
            ("arms", arms),
            ("protocols", protocols),
            ("seats", seats),
            ("params", params),
            ("agents", agents),
            ("judging", judging),
        ):
            if given is not None and not isinstance(given, Mapping):
                raise UsageError(f"{what} is {given!r:.80}; it must be a mapping, by name")
        self.judging = None if judging is None else dict(judging)
        self.beside = Path()
        with gathered():
            self.samples, self._questions = questions_of(questions)
        self.arms: dict[str, Arm] = dict(arms or {})
        if protocols is not None:
            made = product(protocols, seats or {}, params or {}, self.samples[0].question)
            if twice := next((each for each in made if each in self.arms), None):
                raise UsageError(f"two arms are called {twice!r}")
            self.arms = {**made, **self.arms}
        elif seats or params:
            raise UsageError("seats and params are for the protocols of a grid: give protocols={name: protocol}")
        self._options: dict[str, Any] = {
            "seed": seed,
            "epochs": epochs,
            "flips": flips,
            "gates": _gates(gates),
        }
        if flips == "both":
            for sample in self.samples:
                for arm in self.arms.values():
                    if arm.of is None and arm.protocol is not None:
                        flipped(arm.protocol, sample)
        self._settle()

    def _settle(self, frozen: dict[str, Any] | None = None) -> None:
        """Make the design anew from what is known."""
        gates_of([*self._options["gates"]])
        counts = {len(sample.question.choices): sample.question for sample in reversed(self.samples)}
        asked = [counts[len(self.samples[0].question.choices)], *counts.values()]  # one for each number of answers
        self.seated: list[Seated] = seated(self.arms, self.agents, asked, self.seatings)
        design = Design(
            name=self.name, arms=tuple(each.design for each in self.seated), questions=tuple(self._questions), frozen=frozen,
            **self._options,
        )  # fmt: skip
        if self.where is not None:
            design = design.model_copy(update={"left_out": frozenset(self._left_out(design, self.where))})
        self.design = design
        if design.size == 0:
            raise UsageError("the study has no cells: its filter leaves all of them out")

    def _left_out(self, design: Design, where: Where) -> Iterable[str]:
        for cell in design.cells():
            arm, question = design.arms[cell.arm], design.questions[cell.question]
            told = {"arm": arm.name, "axes": arm.axes, "question": question.name, "tags": question.tags, "epoch": cell.epoch,
                    "swapped": cell.swapped, "flip": cell.flip}  # fmt: skip
            if not where(told):
                yield cell.key

    def with_arms(self, **arms: Arm) -> Study:
        """The same study with more arms."""
        made = self._open("arms")
        if twice := next((name for name in arms if name in self.arms), None):
            raise UsageError(f"two arms are called {twice!r}")
        made.arms = {**self.arms, **arms}
        made._settle()
        return made

    def _open(self, what: str) -> Study:
        """A copy, to be added to. Raises UsageError where the study is frozen."""
        if self.design.frozen is not None:
            raise UsageError(
                f"study {self.name!r} is frozen, and takes no more {what}; add them first, and freeze it then"
            )
        return copy(self)

    def rejudge(
        self, judge: Any, *, of: str | Iterable[str] | None = None, name: str | None = None, protocol: Protocol | None = None,
        seats: Mapping[str, Any] | None = None, repetitions: int = 1, axes: Mapping[str, Any] | None = None, **again: Any,
    ) -> Study:  # fmt: skip
        """The same study with arms that judge the plays of others again; whoever debated in them is not asked.

        judge: an agent, or a name among the study's. of: which arms, by default every one that is played from its
        beginning. name: of the new arm, where there is one; otherwise "ARM, judge=NAME". protocol: another procedure of judging. seats: who
        else is asked live (an oracle). repetitions, axes, and flip, upto, stale, live: as for `moot.Arm`.
        """
        chosen = (
            [each for each, arm in self.arms.items() if arm.of is None]
            if of is None
            else [of]
            if isinstance(of, str)
            else list(of)
        )
        for each in chosen:
            if each not in self.arms:
                raise UsageError(f"there is no arm {each!r}{near(each, list(self.arms))}")
        if name is not None and len(chosen) > 1:
            raise UsageError(
                f"{len(chosen)} arms are judged again, which cannot all be called {name!r}: say which by of="
            )
        told = (
            judge
            if isinstance(judge, str)
            else next((key for key, who in self.agents.items() if who is judge), "again")
        )
        arms = {}
        for each in chosen:
            given = {"judge": told, **(axes or {})}
            arms[name or f"{each}, judge={told}"] = Arm(
                protocol, {"judge": judge, **(seats or {})}, given, of=each, repetitions=repetitions, **again
            )
        return self.with_arms(**arms)

    def gate(self, name: str, **stated: Any) -> Study:
        """The same study with a gate: a figure, and what it must come to, stated before anything is known
        (`moot.studies.results.Gate`). It is frozen with the study, and reported as it was written."""
        made = self._open("gates")
        made._options = {**self._options, "gates": (*self._options["gates"], {"name": name, **stated})}
        made._settle()
        return made

    def freeze(self) -> Study:
        """The same study, held fast: from its first run on, its folder takes no other design. What is written down: the hash of the whole
        design (arms, protocols, identities with their prompts, questions, seeds, gates), moot's version, and when."""
        made = copy(self)
        self._judged_by_gates()
        frozen = {
            "design": hashed(self.design.digest),
            "moot": __version__,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        made._settle(frozen)
        return made

    def _judged_by_gates(self) -> None:
        """Raise UsageError where a gate names an arm that there is not: it could never be passed."""
        for gate in gates_of([*self._options["gates"]]):
            if lost := next((arm for arm in gate.arms if arm not in self.arms), None):
                raise UsageError(f"gate {gate.name!r}: there is no arm {lost!r}{near(lost, list(self.arms))}")

    async def arun(
        self, folder: Path | str, *, limit: int | None = None, max_cost: float | None = None, max_tokens: int | None = None,
        max_seconds: float | None = None, batch: bool = False, fsync: Fsync = "ended", executor: Executor | None = None,
        workers: int | None = None, address: str | None = None, by: Have | None = None,
    ) -> Progress:  # fmt: skip
        """Have every cell that is not in the folder yet, and say how that went. See `run`. by: has a cell played, instead of that it is
        played as it comes: for whoever seats people first."""
        if executor is None and (workers is not None or address is not None):
            raise UsageError("workers and address are for an executor: executor='processes' or 'ray'")
        if by is not None and (executor is not None or batch):
            raise UsageError("plays with people are had in one process, as people come: leave out executor and batch")
        if executor is not None and batch:
            raise UsageError("batches are gathered in one process: leave out batch, or executor")
        if executor is not None and max_tokens is not None:
            raise UsageError(
                "a cap of tokens holds in one process: leave out max_tokens (max_cost holds for all), or executor"
            )
        limit = (self.design.size if batch else 16) if limit is None else limit
        if type(limit) is not int or limit < 1:
            raise UsageError(f"limit is {limit!r}; it must be 1 or more plays at a time")
        if max_seconds is not None and (type(max_seconds) not in (int, float) or not max_seconds >= 0):
            raise UsageError(f"max_seconds is {max_seconds!r}; it must be a number of at least 0")
        self._judged_by_gates()
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"{folder} is a file; a study takes a folder")
        with owned(folder):
            design = adopt(folder, self.design)
            index = Index(folder, owner=True, allow=self.allow)
            try:
                cap = self._cap(max_cost, max_tokens, index)
                with under(cap), board(design.size, every=5) as shown:
                    shown.cost = None if max_cost is None or cap is None else lambda: cap.spent
                    pool = None if executor is None else Pool(self.seated, executor, workers, address, cap, fsync)
                    run = Run(design, self.seated, self.samples, folder, index, shown, limit=limit, cap=cap, seconds=max_seconds,
                              fsync=fsync, elsewhere=None if pool is None else pool.have, by=by)  # fmt: skip
                    if pool is not None:
                        return await pool.around(run)
                    with Batch(folder / "batches") if batch else nullcontext():
                        return await run()
            finally:
                index.close()

    def run(
        self, folder: Path | str, *, limit: int | None = None, max_cost: float | None = None, max_tokens: int | None = None,
        max_seconds: float | None = None, batch: bool = False, fsync: Fsync = "ended", executor: Executor | None = None,
        workers: int | None = None, address: str | None = None, backend: Backend = "asyncio",
    ) -> Progress:  # fmt: skip
        """Have every cell that is not in the folder yet: plays that have ended are kept, unfinished and errored ones taken up, the rest played.

        limit: plays at the same time, 16 unless given, with batches all. batch: the model calls of all open plays are sent in waves, as
        providers' batch files (`moot.Batch`). max_cost: the most that all model calls of the study may cost, those of earlier runs among
        them (`moot.Cap`); max_tokens: the most tokens that they may take, of prompts and answers together; max_seconds: after so long
        nothing is begun. It stops before a limit, not after, and the same call goes on. fsync: as for `moot.run`. executor: "processes"
        plays cells in `workers` processes of this machine (one for each CPU), "ray" on a Ray cluster, at an address, or started here; the
        limits hold for all of them together. One process at a time runs a study. Whatever fails, what was recorded is kept.
        Raises UsageError where the folder is another study's, and where a frozen design has changed.
        """
        given: dict[str, Any] = {
            "limit": limit,
            "max_cost": max_cost,
            "max_tokens": max_tokens,
            "max_seconds": max_seconds,
            "batch": batch,
            "fsync": fsync,
            "executor": executor,
            "workers": workers,
            "address": address,
        }
        return in_loop(lambda: self.arun(folder, **given), backend)

    def _cap(self, most: float | None, tokens: int | None, index: Index) -> Cap | None:
        """The cap on this run, against which all counts that is in the folder."""
        if most is None and tokens is None:
            return None
        agents = {f"{each.name}.{seat}": who for each in self.seated for seat, who in each.agents.items()}
        known = [
            pricing(who) for each in self.seated for who in (each.agents, each.swapped)
        ]  # a seat is another's in each arm

        def price(event: Mapping[str, Any]) -> float | None:
            return next((cost for each in known if (cost := each(event)) is not None), None)

        cap = Cap(most, tokens=tokens)
        if any(list(models_in(describe(who))) for who in agents.values()):
            cap.spent, cap.used = index.spent(price, money=most is not None, tokens=tokens is not None)
        cap.check(agents, cap.left)
        return cap

    def rows(self, folder: Path | str) -> list[Row]:
        """A row for every cell of this study, as far as it is in the folder."""
        return list(rows_in(folder, self.design, self.allow))

    def __repr__(self) -> str:
        return f"Study({self.name!r}: {len(self.seated)} arms, {len(self.samples)} questions, {self.design.size} cells)"
