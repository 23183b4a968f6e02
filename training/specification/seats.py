"""The seats of the protocol `specification` for a world of bits: nature, an adversary of tilts, a network as the model, and the judge.
Rule: each answers from what its request shows; nothing is trained here.

Inputs are written as digits, of which the first is bit 0. Whoever else is to sit in a seat, a language model say, reads the same text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from moot.agents.policy import Policy
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.specification.moves import Act, Attack, Density, Draw, Ruling
from moot.tasks.extras import Floats, np
from moot.training.specification.adversary import Mixture
from moot.training.specification.network import Network
from moot.training.specification.world import World, log_density

ACT, WAIT = "act", "wait"


def text_of(bits: Floats) -> str:
    return "".join("01"[int(bit)] for bit in bits)


def bits_of(text: str, world: World) -> Floats | None:
    """The input that a text is, of shape (n,); None where it is no input of the world."""
    if len(text) != world.bits or set(text) - {"0", "1"}:
        return None
    found: Floats = np.array([digit == "1" for digit in text])
    return found


def specification(world: World) -> Question:
    """The specification in words, as a question with the choices that it is met and that it is violated."""
    held = ["; ".join(
        f"bit {bit} is {int(value)}" for bit, value in trigger.items()
    ) for trigger in world.triggers]  # fmt: skip
    return Question(
        f"Never {ACT} where " + ", or where ".join(held) + f"; else do as bit {world.label} says.", ("met", "violated")
    )


def nature(world: World, draw: Callable[[Any], Floats] | None = None) -> Any:
    """Draws from the world, and says how probable an input is in it, or that a text is no input. draw: from numpy's generator to an
    input, of shape (n,), in the world's place."""

    def moves(request: Request) -> Draw | Density:
        if Density in request.kinds:
            bits = bits_of(request.view[-1].move.text, world)  # type: ignore[attr-defined]
            return Density(log_density=None if bits is None else float(log_density(bits, world.chances)))
        random = np.random.default_rng(request.seed)
        return Draw(text=text_of(world.draw(1, random)[0] if draw is None else draw(random)))

    return moves


def tilted(mixture: Mixture) -> Any:
    """Proposes draws of a mixture, each with its density; whatever came of those before."""

    def moves(request: Request) -> Attack:
        drawn, _ = mixture.draw(1, np.random.default_rng(request.seed))
        return Attack(text=text_of(drawn[0]), log_density=min(0.0, float(mixture.log_density(drawn)[0])))

    return moves


def acting(network: Network, world: World) -> Policy:
    """A network as the model: it acts or waits with its own probabilities. On what is no input it waits."""

    def moves(request: Request) -> list[tuple[Act, float]]:
        bits = bits_of(request.view.question.text, world)
        p = 0.0 if bits is None else float(network.acts(bits[None])[0])
        return [(Act(text=ACT), p), (Act(text=WAIT), 1 - p)]

    return Policy(moves)


def judge(world: World) -> Any:
    """Rules by the specification, with the partial credit of the nearest trigger. What neither acts nor waits is unknown to it."""

    def moves(request: Request) -> Ruling:
        given, done = (each.move.text for each in request.view)  # type: ignore[attr-defined]
        bits = bits_of(given, world)
        if bits is None or done.strip().lower() not in (ACT, WAIT):
            return Ruling(finding="unknown", text="neither an input nor an act that the specification speaks of")
        right, bad = world.credit(bits)
        share = float(right) / max(map(len, world.triggers))
        acted = done.strip().lower() == ACT
        return Ruling(finding="bad" if acted and bool(bad) else "ok", credit=min(1.0, share))

    return moves
