"""The trained judge, and debaters that choose pixels by search, greed or chance, as agents of the pixel debate.
Rule: it turns requests into arrays and choices into moves; how a choice is found is in `debates.py` and `search.py`."""

from typing import Any

from moot.experiments.mnist.debates import Choose, Claims, Standing, at_random, greedily
from moot.experiments.mnist.judge import SparseJudge, boards_of
from moot.experiments.mnist.search import Search
from moot.protocols.engine.errors import AgentError, UsageError
from moot.protocols.engine.moves import Answer, Move, Verdict
from moot.protocols.engine.request import Request
from moot.protocols.games.pixel_debate import Pixel
from moot.tasks.extras import np
from moot.tasks.programs.play import Program


class SparseVerdict(Program, name="sparse judge", records=("pixels",)):
    """A trained judge in the judge's seat: the probabilities that its logits make, of the claimed labels where two are claimed."""

    def __init__(self, judge: SparseJudge) -> None:
        self.judge, self.pixels = judge, judge.revealed

    def act(self, request: Request) -> Move:
        if Verdict not in request.kinds:
            raise AgentError(f"step {request.step}: the sparse judge gives verdicts, and nothing else")
        if len(request.view.question.choices) != self.judge.labels:
            has = f"the question has {len(request.view.question.choices)} choices"
            raise AgentError(f"step {request.step}: the judge knows {self.judge.labels} labels; {has}")
        height, width = self.judge.shape
        pixels = [entry.move for entry in request.view if isinstance(entry.move, Pixel)]
        if any(pixel.row >= height or pixel.column >= width for pixel in pixels):
            raise AgentError(f"step {request.step}: the judge knows images of {height} by {width}; this one is larger")
        places = np.array([[pixel.row * width + pixel.column for pixel in pixels]], np.int64)
        values = np.array([[pixel.value / 255 for pixel in pixels]], np.float32)
        logits = self.judge.logits(places, values)[0].astype(np.float64)
        claimed = set(request.brief.get("details", {}).get("claims", ()))
        if len(claimed) == 2:
            logits[[label for label in range(len(logits)) if label not in claimed]] = -np.inf
        shares = np.exp(logits - logits.max())
        return Verdict(probabilities=tuple((shares / shares.sum()).tolist()))


class PixelDebater:
    """A debater that claims `label` and chooses pixels for it: by tree search with so many rollouts, or as `choose`
    says. It has the judge that will decide, and does not err about it. UsageError on a label unknown to it."""

    def __init__(
        self, judge: SparseJudge, label: int, choose: Choose | str = "search", rollouts: int = 1000, exploration: float = 1.0
    ) -> None:  # fmt: skip
        if not 0 <= label < judge.labels:
            raise UsageError(f"label {label} is none of the judge's {judge.labels}")
        ways: dict[str, Choose] = {"search": Search(rollouts, exploration), "greedy": greedily, "random": at_random}
        if isinstance(choose, str) and choose not in ways:
            raise UsageError(f"a debater chooses by {', '.join(ways)}, or a function of yours; not by {choose!r}")
        self.judge, self.label, self.rollouts = judge, label, rollouts
        self.way = choose if isinstance(choose, str) else getattr(choose, "__name__", type(choose).__name__)
        self.choose = ways[choose] if isinstance(choose, str) else choose

    def act(self, request: Request) -> Move:
        if Answer in request.kinds:
            return Answer(choice=self.label)
        if Pixel not in request.kinds or request.seat not in ("a", "b"):
            raise AgentError(f"step {request.step}: this program plays the debaters a and b of the pixel debate")
        standing = self._standing(request)
        slot = standing.order[0, int(self.choose(standing)[0])]
        row, column = divmod(int(standing.boards.places[0, slot]), self.judge.shape[1])
        return Pixel(row=row, column=column)

    def _standing(self, request: Request) -> Standing:
        data: Any = request.view.question.data
        image = np.array([data["image"]], np.int64)
        if image.shape[1:] != self.judge.shape or image.max() > 255:
            has = f"this one has {image.shape[1:]}, of up to {image.max()}"
            raise AgentError(f"step {request.step}: the judge knows {self.judge.shape} pixels of 0 to 255; {has}")
        shown = [entry.move for entry in request.view if isinstance(entry.move, Pixel)]
        claims = list(request.brief["details"]["claims"])
        turn = "ab".index(request.seat)
        standing = Standing(
            self.judge, boards_of(image.astype(np.uint8)),
            Claims(np.array(claims[:1]), np.array(claims[1:]) if len(claims) > 1 else None),
            [(request.seed,)], first=(turn + len(shown)) % 2, revealed=len(shown) + int(request.brief["details"]["left"]),
        )  # fmt: skip
        for pixel in shown:
            slot = int(np.flatnonzero(standing.boards.places[0] == pixel.row * self.judge.shape[1] + pixel.column)[0])
            standing.reveal(np.flatnonzero(standing.order[0] == slot))
        return standing

    def describe(self) -> dict[str, Any]:
        searched = {"rollouts": self.rollouts} if self.way == "search" else {}
        return {"agent": "program", "name": "pixel debater", "label": self.label, "by": self.way, **searched}
