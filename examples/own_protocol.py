"""A protocol of your own, whole, played and property-tested."""

from typing import Literal

import moot
import moot.testing


class Objection(moot.Move):
    kind: Literal["objection"] = "objection"
    text: str
    fatal: bool


class Defence(moot.Protocol):
    """One answer, one critic, one judge: the author argues, the critic objects, the judge decides."""

    rounds: int = 1

    def roles(self, question: moot.Question) -> dict[str, str]:
        if len(question.choices) != 2:
            raise moot.UsageError("defence needs two choices")
        return {"author": "debater", "critic": "critic", "judge": "judge"}

    async def play(self, floor: moot.Floor, question: moot.Question) -> moot.Decided:
        for number in range(self.rounds):
            view = floor.said(source="all")
            await floor.ask("author", moot.Speech, view=view, task="speech", answer=0, round=number + 1)
            claim = floor.step
            await floor.ask("critic", Objection, view=floor.said(source="all"), under=claim, relation="attacks")
        verdict = await floor.ask("judge", moot.Verdict, task="verdict")
        return moot.Decided(verdict)


def judge(request: moot.Request) -> moot.Verdict:
    fatal = any(getattr(entry.move, "fatal", False) for entry in request.view)
    return moot.Verdict(probabilities=(0.2, 0.8) if fatal else (0.8, 0.2))


if __name__ == "__main__":
    question = moot.Question("Is 221 prime?", choices=("yes", "no"))
    seats = {
        "author": lambda request: moot.Speech(text="No number up to 12 divides it."),
        "critic": lambda request: Objection(text="13 does: 13 * 17 = 221.", fatal=True),
        "judge": judge,
    }
    t = moot.run(Defence(), question, seats)
    print(t.outcome)
    print(t.tree)
    moot.testing.check_protocol(Defence())
    print("Defence keeps every law.")
