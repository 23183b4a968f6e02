"""Paying a network for what a probe says it thinks: what that adds to outcomes, and how it is gamed once it is trained against.
Rule: closed forms, inputs that are enumerated, small networks of our own, and plays in which a probe reads recorded thoughts.

A process-level reward as in the proposal of salt-starved rats (Byrnes 2020, Inner alignment in salt-starved rats), as a case of relaxed
adversarial training (Hubinger 2019): the specification is on an input and the hidden units there, and the probe is its judge.

In closed form: h = W x from W = 0 under gradient flow, answer v·h, probe p·h, v and p of length 1 and cosine k. A property c and another
feature s are even coins, -1 or 1, which the network sees as c and as `SALIENCE` times s. With a = vW and b = pW the flow is
da = -(A(a) + k B(b)), db = -(k A(a) + B(b)), where A and B are the gradients of half the squared error of answer and probe.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random
from typing import Any

from moot.experiments.oversight.drift import flow, peak
from moot.experiments.oversight.pressure import frequency, whole
from moot.experiments.oversight.seen import played
from moot.experiments.reproductions.pictures import DARK, LIGHT, MIDDLE, RULE, panels, written
from moot.experiments.statistics.process_pay import paid, probing
from moot.experiments.statistics.report import Report, Row
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.question import Question, Sample
from moot.protocols.engine.request import Request
from moot.tasks.extras import Floats, needed, np
from moot.tasks.programs.play import Program

SALIENCE = 2.0
"""How much larger the other feature is than the property."""
COSINE = 0.6
BITS, HIDDEN = 6, 16
STEPS, EVERY = 600, 10
OUTCOMES = ("ambiguous", "biased")
"""What outcomes pay for: the property, on inputs where the other feature is as it is; or the other feature, on all inputs."""
PROBES = ("none", "fixed", "refitted", "readout", "followed")
"""No pay; a probe fitted once, before training; fitted anew at each step; along the weights that the answer is read by, as they are at the
start; along these as they are at each step."""
RIDGE = 1e-3

# -- in closed form -----------------------------------------------------------------------------------------------------


def used(cosine: float, salience: float = SALIENCE) -> tuple[float, float]:
    """The shares of the property and of the other feature in the answer, where outcomes are ambiguous and training has ended: of all weights
    without an error the shortest, k + (1 - k) / (1 + s^2) and (1 - k) s^2 / (1 + s^2). UsageError for a cosine outside (-1, 1], or a
    salience that is not above 0."""
    if not -1 < cosine <= 1 or not 0 < salience < math.inf:
        raise UsageError(f"thoughts: cosine {cosine}, salience {salience}; give one in (-1, 1], and one above 0")
    other = (1 - cosine) * (salience / math.hypot(1.0, salience)) ** 2
    return 1 - other, other


def enough(salience: float = SALIENCE) -> float:
    """The cosine above which the answer goes by the property where the two part: (s^2 - 1) / 2s^2. UsageError as `used`."""
    used(0.0, salience)
    return (1 - 1 / salience / salience) / 2


def gamed(time: float, cosine: float) -> tuple[float, float]:
    """The weights of the property in what the probe reads and in the answer, where outcomes are biased, at a time of the flow:
    1 - (e^-(1+k)t + e^-(1-k)t) / 2, and (e^-(1-k)t - e^-(1+k)t) / 2, which rises and falls. UsageError for a cosine outside (-1, 1], or
    a time below 0."""
    used(cosine)
    _timed(time)
    return flow(time, cosine)


def _timed(time: float) -> None:
    if not 0 <= time < math.inf:
        raise UsageError(f"thoughts: time {time}; give a number of at least 0")


def descended(outcomes: str, cosine: float, time: float, salience: float = SALIENCE, rate: float = 0.005) -> Floats:
    """The weights of (property, other feature) in the answer and in what the probe reads, (2, 2), of a linear network of two hidden units
    that is stepped down the gradient (the midpoint rule) over all four inputs: no formula. rate: how far a step goes. UsageError
    as `used` and `gamed`, for a rate that is not above 0, and for other outcomes."""
    used(cosine, salience)
    _timed(time)
    if not 0 < rate < math.inf:
        raise UsageError(f"thoughts: rate {rate}; give a number above 0")
    inputs, targets, counted = _world(2, outcomes)
    seen = inputs * (1.0, salience)
    ends = np.array([[1.0, 0.0], [cosine, math.sqrt(1 - cosine * cosine)]])

    def slope(weights: Floats) -> Floats:
        answer, read = seen @ weights.T @ ends.T[:, 0], seen @ weights.T @ ends.T[:, 1]
        wrong, off = (answer - targets) * counted, (read - inputs[:, 0]) / len(inputs)
        found: Floats = np.outer(ends[0], wrong @ seen) + np.outer(ends[1], off @ seen)
        return found

    weights, steps = np.zeros((2, 2)), math.ceil(time / rate)
    for _ in range(steps):
        weights = weights - time / steps * slope(weights - time / steps / 2 * slope(weights))
    found: Floats = ends @ weights * (1.0, salience)
    return found


def _world(bits: int, outcomes: str) -> tuple[Floats, Floats, Floats]:
    """All inputs, (2^bits, bits), bit 0 the property and bit 1 the other feature; what outcomes pay for, and the weight of each."""
    if outcomes not in OUTCOMES:
        raise UsageError(f"thoughts: outcomes {outcomes!r}; give one of {', '.join(OUTCOMES)}")
    inputs = np.array(list(product((-1.0, 1.0), repeat=bits)))
    alike = inputs[:, 0] == inputs[:, 1] if outcomes == "ambiguous" else np.ones(len(inputs), bool)
    return inputs, inputs[:, 1], alike / alike.sum()


# -- networks -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Looks:
    """What was found while networks were trained, each of shape (looks, networks), over all inputs. score: 1 less the mean squared
    error of the probe. use: the property's weight in the answer; without: the same with
    the probe's direction taken out of the hidden units. wrong: how often the answer goes against the property; astray: how
    often the probe's reading does. cosine: of the probe with the weights that the answer is read by."""

    steps: tuple[int, ...]
    score: Floats
    use: Floats
    without: Floats
    wrong: Floats
    astray: Floats
    cosine: Floats


class Networks:
    """Networks of one hidden layer, tanh, with an answer and a probe on it, all trained at once. outcomes, probe: of `OUTCOMES` and
    `PROBES`. UsageError for others, for a seed below 0, without networks, and without numpy (the extra `learn`)."""

    def __init__(self, outcomes: str, probe: str, networks: int, seed: int = 0) -> None:
        whole("thoughts", networks=(networks, 1), seed=(seed, 0))
        if probe not in PROBES:
            raise UsageError(f"thoughts: probe {probe!r}; give one of {', '.join(PROBES)}")
        self.kind = probe
        self.inputs, self.targets, self.counted = _world(BITS, outcomes)
        self.property = self.inputs[:, 0]
        random = np.random.default_rng(seed)
        self.first: Floats = random.normal(size=(networks, BITS, HIDDEN)) * 0.3 / math.sqrt(BITS)
        self.last: Floats = random.normal(size=(networks, HIDDEN)) / math.sqrt(HIDDEN)
        self.probe = _unit(self.last) if probe in ("readout", "followed") else self.fitted()

    def hidden(self, inputs: Floats | None = None) -> Floats:
        """Of shape (networks, inputs, hidden)."""
        seen = (self.inputs if inputs is None else inputs) * (1.0, SALIENCE, *[1.0] * (BITS - 2))
        found: Floats = np.tanh(seen @ self.first)
        return found

    def fitted(self) -> Floats:
        """The linear probe of the property, by least squares, (networks, hidden)."""
        hidden = self.hidden()
        count = len(self.inputs)
        moments = hidden.transpose(0, 2, 1) @ hidden / count + RIDGE * np.eye(HIDDEN)
        found: Floats = np.linalg.solve(moments, (self.property @ hidden / count)[..., None])[..., 0]
        return found

    def loss(self) -> Floats:
        """Half the squared error of the answer on outcomes and, where a probe pays, half that of the probe, (networks,)."""
        hidden = self.hidden()
        answer = ((_read(hidden, self.last) - self.targets) ** 2) @ self.counted / 2
        read = ((_read(hidden, self.probe) - self.property) ** 2).mean(1) / 2
        return answer if self.kind == "none" else answer + read

    def gradients(self) -> tuple[Floats, Floats]:
        """Of the loss, by the first layer and by the last. The probe stands: who is paid does not move it."""
        hidden = self.hidden()
        wrong = (_read(hidden, self.last) - self.targets) * self.counted
        back = wrong[..., None] * self.last[:, None]
        if self.kind != "none":
            off = (_read(hidden, self.probe) - self.property) / len(self.inputs)
            back = back + off[..., None] * self.probe[:, None]
        seen = self.inputs * (1.0, SALIENCE, *[1.0] * (BITS - 2))
        return seen.T @ (back * (1 - hidden * hidden)), (wrong[:, None] @ hidden)[:, 0]

    def look(self) -> tuple[Floats, ...]:
        """What `Looks` holds of now."""
        hidden = self.hidden()
        answer, read = _read(hidden, self.last), _read(hidden, self.probe)
        along = _unit(self.probe)
        without = answer - _read(hidden, along) * (along * self.last).sum(1, keepdims=True)
        return (
            1 - ((read - self.property) ** 2).mean(1), answer @ self.property / len(self.inputs),
            without @ self.property / len(self.inputs), (answer * self.property <= 0).mean(1), (read * self.property <= 0).mean(1),
            (along * _unit(self.last)).sum(1),
        )  # fmt: skip

    def train(self, steps: int = STEPS, rate: float = 0.05) -> Looks:
        """Gradient descent on all inputs. UsageError for steps below 0."""
        whole("thoughts", steps=(steps, 0))
        looks = list[tuple[Floats, ...]]()
        for step in range(steps + 1):
            if self.kind in ("refitted", "followed"):
                self.probe = self.fitted() if self.kind == "refitted" else _unit(self.last)
            if step % EVERY == 0:
                looks.append(self.look())
            first, last = self.gradients()
            self.first, self.last = self.first - rate * first, self.last - rate * last
        return Looks(tuple(range(0, steps + 1, EVERY)), *(np.array(each) for each in zip(*looks, strict=True)))


def _unit(rows: Floats) -> Floats:
    found: Floats = rows / np.linalg.norm(rows, axis=-1, keepdims=True)
    return found


def _read(hidden: Floats, along: Floats) -> Floats:
    found: Floats = (hidden @ along[..., None])[..., 0]
    return found


# -- plays --------------------------------------------------------------------------------------------------------------


class Thinker(Program, name="network"):
    """One of the networks as an agent: it answers by the sign of its output, and its hidden units are its private thoughts."""

    def __init__(self, networks: Networks, place: int = 0) -> None:
        self.networks, self.place = networks, place

    def act(self, request: Request) -> Verdict:
        data: Any = request.view.question.data
        hidden = self.networks.hidden(np.array([data["bits"]], float))[self.place, 0]
        request.note({"event": "thought", "attempt": 0, "text": " ".join(f"{unit:.9f}" for unit in hidden)})
        return Verdict.sure(int(float(hidden @ self.networks.last[self.place]) <= 0))


def posed(bits: Iterable[float]) -> Sample:
    """Whether the property is there, asked of an input, a row of -1 and 1."""
    row = [int(bit) for bit in bits]
    return Sample(Question("Is the property there?", ("yes", "no"), data={"bits": row}), int(row[0] < 0))


def labelled(question: Question) -> float:
    """The property of an input, -1 or 1, as whoever labels inputs knows it."""
    data: Any = question.data
    return float(data["bits"][0])


# -- the report ---------------------------------------------------------------------------------------------------------

Found = dict[tuple[str, str], tuple[Networks, Looks]]


def reproduce(
    seed: int = 0, full: bool = False, networks: int | None = None, plays: int | None = None, pictures: Path | str | None = None,
) -> Report:  # fmt: skip
    """All figures. networks: of each kind, 8 unless given, with `full` 24. plays: on inputs that are drawn, 200 unless given, with `full`
    2000. pictures: a folder for `thoughts.png`. UsageError for a seed below 0, no networks or plays, without numpy (the extra
    `learn`), and without the extra `plot` for the picture."""
    count = (24 if full else 8) if networks is None else networks
    plays = (2000 if full else 200) if plays is None else plays
    whole("thoughts", seed=(seed, 0), networks=(count, 1), plays=(plays, 1))
    needed("networks of our own need", "numpy")
    if pictures is not None:
        panels(("",))  # said before anything is trained
    found: Found = {}
    for case in product(OUTCOMES, PROBES):
        made = Networks(*case, count, seed)
        found[case] = made, made.train(STEPS)
    rows = [*_closed(), *(row for case, (_, looks) in found.items() for row in _trained(case, looks))]
    rows += _plays(found["biased", "readout"][0], plays, seed)
    notes = [
        f"All {2**BITS} inputs are enumerated; figures are means over networks, with the least and the most beside them. The property's use is "
        "its weight in the answer, of 1; the score is 1 less the mean squared error of the probe.",
        "As relaxed adversarial training: the input with the hidden units there is what is specified, the probe judges it, and the "
        "score is the pay. Where training has ended no input violates that, so no adversary over inputs can find one; the answers go "
        "by the other feature all the same. What is searched over inputs is empty; what is exploited is the specification.",
        "What this does not show: that thoughts of a language model are units along which a probe reads a property, that anybody has labels "
        "of the right thoughts, or that a probe which follows what the answer is read by can be had in a deep network. That a probe's "
        "direction matters when it is taken out does not show that the property is used.",
    ]  # fmt: skip
    if pictures is not None:
        notes.append(written(_picture(found), pictures, "thoughts.png"))
    return Report(
        title="Paying a network for what a probe says it thinks", source="after Byrnes 2020 and Hubinger 2019", rows=tuple(rows),
        settings={"seed": seed, "networks": count, "plays": plays, "salience": SALIENCE}, notes=tuple(notes),
    )  # fmt: skip


def _closed() -> list[Row]:
    early = descended("biased", COSINE, peak(COSINE))
    late = descended("biased", COSINE, 30.0, rate=0.04)
    ablated = late[0] - COSINE * late[1]
    alone = descended("ambiguous", 0.0, 20.0, rate=0.04)
    beside = descended("ambiguous", COSINE, 30.0, rate=0.04)
    return [
        Row.equal("ambiguous outcomes, no probe: property's share", alone[0, 0], 1 / (1 + SALIENCE**2), within=1e-6),
        Row.equal(f"  a probe at cosine {COSINE:g}", beside[0, 0], used(COSINE)[0], within=1e-6),
        Row.equal("  the cosine above which it decides", enough(), 0.375),
        Row.equal(f"biased outcomes, t* = {peak(COSINE):.6g}: use", early[0, 0], 0.236235, within=2e-5),
        Row.equal("  what the probe reads of it then", early[1, 0], 0.606275, within=2e-5),
        Row.equal("  use at the end", late[0, 0], 0.0, within=1e-5),
        Row.equal("  what the probe reads of it at the end", late[1, 0], 1.0, within=1e-5),
        Row.equal("  use at the end, the probe's direction taken out", ablated[0], -COSINE, within=1e-5),
    ]  # fmt: skip


def _trained(case: tuple[str, str], looks: Looks) -> list[Row]:
    outcomes, probe = case
    aimed, ambiguous = probe in ("readout", "followed"), outcomes == "ambiguous"
    use = (0.5, 1.1) if aimed else (0.0, 0.5)
    against = ((0.0, 0.0) if aimed else (0.25, 0.5)) if ambiguous else (0.5, 0.5)
    if not ambiguous:
        use = (0.2, 0.5) if probe == "followed" else (-0.05, 0.05)
    rows = [
        _of(f"{outcomes} outcomes, {'no probe' if probe == 'none' else f'probe {probe}'}: use", looks.use[-1], *use)
    ]
    if ambiguous or probe != "followed":
        rows.append(_of("  answers against the property", looks.wrong[-1], *against))
    if probe != "none":
        paid_less = not ambiguous and probe == "followed"
        rows.append(_of("  score of the probe", looks.score[-1], *((0.0, 0.5) if paid_less else (0.99, 1.0))))
    if case == ("biased", "readout"):
        rows += [
            _of("  use at its most, on the way", looks.use.max(0), 0.2, 0.5),
            _of("  what taking out the probe's direction takes", looks.use[-1] - looks.without[-1], 0.2, 1.0),
            _of("  inputs on which the probe reads it wrongly", looks.astray[-1], 0.0, 0.0),
        ]
    return rows


def _of(name: str, values: Floats, low: float, high: float) -> Row:
    """The mean over networks, held to these limits, with the least and the most of them."""
    mean, least, most = float(values.mean()), float(values.min()), float(values.max())
    told = f"{low:g} to {high:g}" if low < high else f"{low:g}"
    return Row(
        name=name, measured=mean, low=least, high=most, count=len(values), published=told, holds=low <= mean <= high
    )


def _plays(networks: Networks, plays: int, seed: int) -> list[Row]:
    """The first of the networks in a seat: what a probe pays for its recorded thoughts, and how it answers."""
    agent, reads = Thinker(networks), probing(networks.probe[0])
    every = played(agent, map(posed, networks.inputs))
    random = Random(seed)
    drawn = played(agent, [posed(random.choice(networks.inputs)) for _ in range(plays)], seed)
    wrong = sum(play.answers["judge"][play.sample.unseal() or 0] < 0.5 for play in drawn)
    exact = float(networks.look()[3][0])
    return [
        Row.equal("played, all inputs: paid for recorded thoughts", paid(every, reads, labelled), float(networks.look()[0][0]), within=1e-6),
        frequency("  drawn inputs: answers against the property", wrong, plays, exact),
    ]  # fmt: skip


def _picture(found: Found) -> Any:
    figure, (left, middle, right) = panels((
        "Ambiguous outcomes: what is used", f"Biased outcomes, linear, cosine {COSINE:g}",
        "Biased outcomes, networks, probe at the readout",
    ), 14)  # fmt: skip
    cosines = [step / 50 for step in range(-30, 51)]
    left.plot(cosines, [used(each)[0] for each in cosines], color=DARK, label="linear, in closed form")
    left.axvline(enough(), color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    left.text(enough() - 0.03, 0.97, "decides\nfrom here", fontsize=8.5, color="0.35", ha="right", va="top")
    for probe, marker in zip(PROBES[1:], "sD^v", strict=True):
        looks = found["ambiguous", probe][1]
        left.plot(looks.cosine[0], looks.use[-1], marker, color=DARK if probe == "followed" else MIDDLE, markersize=5, alpha=0.75, linewidth=0,
                  label=f"networks, {probe}")  # fmt: skip
    left.set(
        xlabel="cosine of probe and readout, at the start",
        ylabel="weight of the property in the answer",
        ylim=(-0.35, 1.08),
    )
    left.legend(loc="lower right", fontsize=8.5, frameon=False)
    times = [step / 20 for step in range(161)]
    middle.plot(times, [gamed(each, COSINE)[0] for each in times], color=DARK, label="the probe reads")
    middle.plot(times, [gamed(each, COSINE)[1] for each in times], "--", color=MIDDLE, label="the answer uses")
    middle.axvline(peak(COSINE), color=RULE, linewidth=0.8, linestyle=":", zorder=0)
    middle.text(peak(COSINE) + 0.1, 0.4, f"t* = {peak(COSINE):.3f}", fontsize=8.5, color="0.35")
    middle.set(xlabel="time", ylabel="weight of the property", ylim=(-0.02, 1.08))
    looks = found["biased", "readout"][1]
    for name, values, style, colour in (
        ("score of the probe", looks.score, "-", DARK), ("use", looks.use, "--", MIDDLE),
        ("use without the probe's direction", looks.without, "-.", LIGHT),
        ("use, probe followed", found["biased", "followed"][1].use, ":", "0.35"),
    ):  # fmt: skip
        right.fill_between(looks.steps, values.min(1), values.max(1), color=colour, alpha=0.15, linewidth=0)
        right.plot(looks.steps, values.mean(1), style, color=colour, label=name)
    right.set(xlabel="steps of gradient descent", ylabel="weight of the property, or score", ylim=(-1.02, 1.08))
    right.axhline(0, color=RULE, linewidth=0.6, zorder=0)
    middle.legend(loc="center right", fontsize=8.5, frameon=False)
    right.legend(loc=(0.42, 0.71), fontsize=8, frameon=False)
    return figure
