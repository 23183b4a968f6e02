"""Calibrated judges: verdicts mapped to the probabilities that turned out to be right on plays held out for it.

A calibration is fitted by `moot.experiments.statistics.recalibration.fit` and kept as JSON. It maps the probability of each
choice by itself, and divides by the sum (one against all, Zadrozny and Elkan 2002, doi 10.1145/775047.775151); with two choices
both ways come to the same. It names the questions that it was fitted on, and judges none of them.

Rule of this file: it applies a calibration, with no library; fitting one is not done here.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_right
from hashlib import blake2b
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import to_json

from moot.agents.base import Wrapper, act_of, describe, reply_of
from moot.agents.identity import composed
from moot.agents.kinds import Held, JudgeKind, Profile
from moot.agents.spec import seatable
from moot.protocols.engine.errors import AgentError, Illegal, UsageError, first_problem
from moot.protocols.engine.moves import Move, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.replies import typed
from moot.protocols.engine.request import Request
from moot.protocols.scoring import CLIP
from moot.protocols.text import one_line

LARGEST = 1 << 26  # bytes of a file
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]


class Calibration(BaseModel):
    """A map from probabilities to probabilities.

    method: "platt": 1 / (1 + exp(−(slope · ln(p / (1 − p)) + intercept))), after Platt 1999; "isotonic": linear between the
    `points` (p, mapped p), which never fall (Zadrozny and Elkan 2002). p is first clipped to [1e-4, 1 − 1e-4], and what
    comes of it as well, so that nothing is certain. fitted_on: the questions of the plays that it was fitted on, as
    `digest_of` names them. plays: how many of them there were.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    method: Literal["platt", "isotonic"]
    slope: Number = 1.0
    intercept: Number = 0.0
    points: tuple[tuple[Share, Share], ...] = ()
    fitted_on: tuple[str, ...]
    plays: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _whole(self) -> Calibration:
        if self.method == "isotonic":
            if not self.points:
                raise ValueError("an isotonic calibration has points")
            for (x, y), (more, higher) in zip(self.points, self.points[1:], strict=False):
                if not (x < more and y <= higher):
                    raise ValueError(f"its points rise, and ({more:g}, {higher:g}) does not after ({x:g}, {y:g})")
        return self

    def apply(self, probabilities: tuple[float, ...]) -> tuple[float, ...]:
        """A distribution, calibrated."""
        found = [self._one(p) for p in probabilities]
        total = math.fsum(found)
        return tuple(each / total for each in found)

    def _one(self, p: float) -> float:
        p = clipped(p)
        if self.method == "platt":
            z = self.slope * math.log(p / (1 - p)) + self.intercept
            return clipped(1 / (1 + math.exp(-z)) if z >= 0 else math.exp(z) / (1 + math.exp(z)))
        at = bisect_right(self.points, p, key=lambda point: point[0])
        if at in (0, len(self.points)):
            return clipped(self.points[min(at, len(self.points) - 1)][1])
        (x, y), (more, higher) = self.points[at - 1], self.points[at]
        return clipped(y + (higher - y) * (p - x) / (more - x))

    def check(self, question: Question) -> None:
        """Raise UsageError for a question that it was fitted on."""
        if digest_of(question) in self.fitted_on:
            raise UsageError(
                f"the question {one_line(question.text, 80)!r} is one that the calibration was fitted on; calibrate on "
                "other questions than you evaluate on"
            )

    def save(self, path: Path | str) -> Path:
        """Write it to a new JSON file. Raises UsageError where there is one, or none can be written."""
        path = Path(path)
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(self.model_dump_json(indent=1) + "\n")
        except FileExistsError:
            raise UsageError(f"{path} exists already; take another name") from None
        except OSError as error:
            raise UsageError(f"cannot write {path}: {error.strerror or error}") from None
        return path

    @classmethod
    def load(cls, path: Path | str) -> Calibration:
        """One from a file. Raises UsageError when it holds none."""
        path = Path(path)
        try:
            with path.open("rb") as file:
                raw = file.read(LARGEST + 1)
            if len(raw) > LARGEST:
                raise UsageError(f"calibration: {path} has over {LARGEST:,} bytes")
            return cls.model_validate(json.loads(raw))
        except OSError as error:
            raise UsageError(f"calibration: {path}: {error.strerror or error}") from None
        except ValidationError as error:
            raise UsageError(f"calibration: {path}: {first_problem(error, 'it')}") from None
        except (ValueError, RecursionError) as error:
            raise UsageError(f"calibration: {path} holds no JSON: {error}") from None


class Calibrated(Wrapper):
    """A judge whose verdicts are calibrated: `Calibrated(judge, Calibration.load("judge.json"))`, or with the path.

    What the judge said itself is kept in an event "calibrated", as `stated`. A question that the calibration was fitted on
    fails before the judge is asked. Requests for anything but a verdict are passed on.
    """

    def __init__(self, agent: Any, calibration: Calibration | Path | str) -> None:
        if isinstance(calibration, (str, Path)):
            calibration = Calibration.load(calibration)
        if not isinstance(calibration, Calibration):
            raise UsageError(f"calibrated: {calibration!r} is no Calibration, nor the path of one")
        self.agent, self.calibration = seatable(agent), calibration
        self.held = (self.agent,)
        self.bound = getattr(self.agent, "bound", None)

    async def act(self, request: Request) -> Any:
        """The judge's verdict, calibrated. Raises AgentError on a question that the calibration was fitted on, or where no verdict
        came, and whatever the judge raises."""
        if Verdict not in request.kinds:
            return await reply_of(act_of(self.agent), request)
        try:
            self.calibration.check(request.view.question)
            move: Move = typed(await reply_of(act_of(self.agent), request), request.kinds)
        except (UsageError, Illegal) as error:
            raise AgentError(f"step {request.step}: seat {request.seat}: {error}") from None
        if not isinstance(move, Verdict):
            return move
        request.note({"event": "calibrated", "stated": list(move.probabilities), "method": self.calibration.method})
        return move.model_copy(update={"probabilities": self.calibration.apply(move.probabilities)})

    def identity(self) -> dict[str, Any] | None:
        return composed(self.agent, agent="calibrated", calibration=self.calibration.model_dump(mode="json"))

    def describe(self) -> dict[str, Any]:
        about = self.calibration.model_dump(mode="json", exclude={"fitted_on"}, exclude_defaults=True)
        return {"agent": "calibrated", "calibration": about, "members": [describe(self.agent)]}


def clipped(p: float) -> float:
    """A probability that is neither 0 nor 1."""
    return min(max(p, CLIP), 1 - CLIP)


def digest_of(question: Question) -> str:
    """What tells a question from others: a hash of its text and its choices, in whatever order they stand."""
    return blake2b(to_json([question.text, sorted(question.choices)]), digest_size=16).hexdigest()


class CalibratedKind(JudgeKind):
    """Another judge, calibrated by a file."""

    name: ClassVar[str] = "calibrated"
    of: Held
    file: str

    def make(self) -> Calibrated:
        return Calibrated(self.of, self.file)

    def profile(self) -> Profile:
        found: Profile = self.of
        return found
