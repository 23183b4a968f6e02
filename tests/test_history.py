"""What other systems accepted is history: recorded as accepted, with the rule of ours that it breaks, and never refereed.

Rule: plays of `importing`, whatever the format; what the records of one format hold is tested with that format."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from format_kit import Event, rewritten
from hypothesis import given, settings
from hypothesis import strategies as st
from import_kit import FIXTURES, of_value

import moot
from moot.protocols.debate.parts import Negotiate, Speeches
from moot.protocols.engine.errors import Illegal, ReplayDivergence
from moot.protocols.engine.game import Game
from moot.protocols.engine.outcomes import Decided
from moot.protocols.limits import Limit
from moot.transcripts.exporters.dot import Dot
from moot.transcripts.exporters.graphml import GraphML
from moot.transcripts.exporters.json_tree import Json, from_json
from moot.transcripts.formats.importing import Play, problems, transcript_of
from moot.transcripts.formats.records import json_value
from moot.transcripts.replay import replay, verify
from moot.transcripts.transcript import Transcript

QUESTION = moot.Question("Who rang?", ("the boy", "the wind"), passage="The boy rang the bell twice.")
LONG = moot.Speech(text="The boy rang <quote>the bell twice</quote>, <quote>and ran</quote>.")
TOLD = (
    "the limit is 20 characters; this text has 37: shorten it; the limit is 10 characters; this text has 21: shorten it"
)


def debate(rounds: int = 1, order: Any = "sequential") -> moot.Debate:
    return moot.Debate(rounds=rounds, order=order, limit=Limit(chars=20), quote_limit=Limit(chars=10))


def held(protocol: moot.Debate, **moves: Any) -> Transcript:
    return transcript_of(Play(protocol, QUESTION, moves), "elsewhere", {"kept": True})


def long_debate() -> Transcript:
    sums_to_half = {"kind": "verdict", "probabilities": [0.1, 0.4], "text": "So be it."}
    return held(debate(), a=[LONG], b=[moot.Speech(text=" ")], judge=[sums_to_half])


def remarks(transcript: Transcript) -> dict[str, str]:
    return {step.step: step.remark for step in transcript.steps() if step.remark is not None}


SAID = st.none() | st.sampled_from(["", " ", "Short.", "It was longer than it may be.", "<quote>rang the bell</quote>"])


@settings(max_examples=40, deadline=None)
@given(
    a=st.lists(SAID, max_size=4), b=st.lists(SAID, max_size=4), rounds=st.integers(0, 3), order=st.sampled_from(["sequential", "simultaneous"]),
    weights=st.tuples(st.floats(0, 1e300), st.floats(1e-3, 100)),
)  # fmt: skip
def test_the_verdict_that_was_reached_is_the_outcome(
    a: list[str | None], b: list[str | None], rounds: int, order: str, weights: tuple[float, float]
) -> None:
    moves = {seat: [None if t is None else moot.Speech(text=t) for t in said] for seat, said in (("a", a), ("b", b))}
    verdict = {"kind": "verdict", "probabilities": list(weights)}
    transcript = held(debate(rounds, order), **moves, judge=[verdict])
    assert isinstance(transcript.outcome, Decided)
    assert transcript.outcome.verdict.probabilities == pytest.approx([each / sum(weights) for each in weights])
    broken = int(abs(sum(weights) - 1) > 1e-6)
    for said in (a, b):
        broken += sum(not t or t.isspace() or len(t) > 13 for t in [*said, *[None] * rounds][:rounds])
    assert len(remarks(transcript)) == broken
    unsaid = sum(any(t is not None for t in said[rounds:]) for said in (a, b))
    assert len(problems(transcript)) == broken + unsaid
    assert replay(transcript).digest == verify(transcript).digest == transcript.digest


def test_a_move_that_breaks_several_rules_has_them_all_and_its_quotes_are_verified() -> None:
    transcript = long_debate()
    assert remarks(transcript)["0"] == TOLD and remarks(transcript)["1"] == "the speech is empty"
    assert [(quote["text"], quote["verified"]) for quote in next(transcript.steps()).move["quotes"]] == [
        ("the bell twice", True), ("and ran", False),
    ]  # fmt: skip
    assert problems(transcript)[0] == f"what a said as number 1 (step 0): {TOLD}"
    verdict = list(transcript.steps())[-1]
    assert verdict.raw is not None and verdict.raw["probabilities"] == [0.1, 0.4] and verdict.remark
    assert verdict.move["probabilities"] == [0.2, 0.8]
    assert transcript.ledger.seats["a"].calls == 1
    assert not [event for event in transcript.events() if event["event"] == "rejected"]


def test_everybody_who_reads_the_play_sees_the_remarks() -> None:
    from moot.transcripts.display.notebook import as_html, tree_html
    from moot.transcripts.display.show import as_text

    transcript = long_debate()
    text = as_text(transcript, width=400)
    assert "── Round 1 of 1" in text and "── Verdict" in text, "what is put to a seat is known beyond a remark"
    assert (
        f"remark: {TOLD}" in text
        and "rejected" not in text
        and "imported from elsewhere; 3 remarks: what a said" in text
    )
    assert "remark: the limit is 20" in as_html(transcript) and "remark: the limit is 20" in tree_html(transcript.tree)
    tree = transcript.tree
    assert tree.nodes["0"]["remark"] == TOLD and "remark: the speech is empty" in str(tree)
    assert from_json(Json().tree(tree)).nodes == tree.nodes and '"version":2' in Json().tree(tree)
    assert TOLD in GraphML().tree(tree) and "remark: the limit" in Dot().text(transcript)
    plain = held(debate(), a=[moot.Speech(text="I did.")], b=[], judge=[])
    assert "remark" not in Json().tree(plain.tree) and '"version":1' in Json().tree(plain.tree)


def test_forks_and_rejudgements_take_what_was_accepted_along() -> None:
    transcript = long_debate()
    again = moot.rejudge(transcript, lambda request: moot.Verdict(probabilities=(0.5, 0.5)))
    assert remarks(again) == {step: remark for step, remark in remarks(transcript).items() if step != "2"}
    forked = moot.fork(transcript, at="1", seats={"b": lambda r: "Short.", "judge": lambda r: moot.Verdict.sure(0)})
    assert list(remarks(forked)) == ["0"]
    for each in (again, forked):
        assert replay(each).digest == each.digest


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda e: {**e, "remark": "the speech is fine"} if e.get("step") == "0" else None, "remark"),
        (lambda e: {k: v for k, v in e.items() if k != "remark"} if e.get("step") == "0" else None, "event"),
        (lambda e: {**e, "remark": "none"} if e.get("step") == "3" else None, "remark"),
        (lambda e: {**e, "move": {"kind": "stop", "stop": True}} if e.get("step") == "1" else None, "remark"),
        (lambda e: {**e, "raw": {**e["raw"], "probabilities": [1]}} if e.get("step") == "4" else None, "remark"),
    ],
)
def test_a_remark_is_made_again_by_a_replay(change: Callable[[Event], Event | None], field: str) -> None:
    """Neither a rule that is not broken, nor one that is and is not said, nor a move that is none gets past a replay."""
    verdict = {"kind": "verdict", "probabilities": [0.1, 0.4]}
    spoken = {"a": [LONG, moot.Speech(text="")], "b": [moot.Speech(text=""), moot.Speech(text="I did.")]}
    transcript = held(debate(2), **spoken, judge=[verdict])
    assert replay(transcript)
    with pytest.raises(ReplayDivergence) as told:
        replay(Transcript(rewritten(transcript, change)))
    assert told.value.field == field


def test_a_live_play_accepts_none_of_it() -> None:
    t = moot.run(
        debate(), QUESTION, seats={"a": lambda r: LONG, "b": lambda r: LONG, "judge": lambda r: moot.Verdict.sure(0)}
    )
    assert t.outcome is not None and t.outcome.kind == "forfeited" and not list(t.steps())
    assert {event["rule"] for event in t.events() if event["event"] == "rejected"} == {
        TOLD.split("; the limit is 10")[0]
    }


def test_what_the_play_cannot_go_on_with_is_not_accepted_as_history_either() -> None:
    game = Game(moot.OpenDebate(rounds=1), QUESTION).start()
    for reply in ({"kind": "answer", "choice": 2}, {"kind": "stop", "stop": True}, {"kind": "answer"}, "text", None):
        with pytest.raises(Illegal):
            game.answer("0", reply, history=True)
    assert list(game.open) == ["0"] and game.answer("0", {"kind": "answer", "choice": 1}, history=True)
    transcript = held(debate(0), judge=[{"kind": "verdict", "probabilities": [0.5, 0.25, 0.25]}])
    assert transcript.outcome is None and "cannot be played: the verdict has 3 probabilities" in problems(transcript)[0]


def test_who_is_silent_at_the_end_is_only_asked() -> None:
    """Nothing is made up where the record breaks off: a play that goes no further stays open."""
    for a, b in (([None], []), ([moot.Speech(text="I did.")], [None]), ([], [])):
        transcript = held(debate(), a=a, b=b, judge=[])
        assert (
            transcript.outcome is None
            and problems(transcript) == []
            and len(list(transcript.steps())) == len([*filter(None, a)])
        )


def spoilt(name: str, path: str) -> tuple[Any, Any]:
    """A record of a format as it is, and with a speech of nobody, one without words, and probabilities of another sum."""
    content = (FIXTURES / path).read_bytes()
    record = json_value(content.split(b"\n")[0] if path.endswith("l") else content)
    other = json.loads(json.dumps(record))
    if name == "khan":
        record, other = ({"transcript": each, "answer_judge": "Prob A: 0.1, Prob B: 0.3"} for each in (record, other))
        other["transcript"]["rounds"][0]["correct"], other["transcript"]["rounds"][1]["incorrect"] = None, " "
    elif name == "multi-agent-debate":
        said = [each for each in other["players"]["Negative side"] if each["role"] == "assistant"]
        said[0]["content"] = ""
        other["players"]["Negative side"].remove(said[-1])
    else:
        for case in other["answer_cases"]:
            case["case_probs"]["transcript"][0]["content"] = ""
            case["case_probs"]["transcript"].pop()
            for answer in case["case_probs"]["answer_cases"]:
                answer["judge_prob"]["prob"] *= 0.5
    return record, other


@pytest.mark.parametrize(("name", "path", "remarked"), [
    ("khan", "khan/one.json", 3), ("multi-agent-debate", "mad/0.json", 2), ("solib", "solib/Debate_t1_n4/agent_judge/results.jsonl", 3),
])  # fmt: skip
def test_every_format_keeps_the_verdict(name: str, path: str, remarked: int) -> None:
    def verdicts(transcripts: list[Transcript]) -> list[tuple[float, ...]]:
        return [t.outcome.verdict.probabilities for t in transcripts if isinstance(t.outcome, Decided)]

    record, other = spoilt(name, path)
    plain, broken = of_value(name, record)[0], of_value(name, other)[0]
    assert len(verdicts(plain)) == len(plain) == len(broken)
    assert verdicts(broken) == [pytest.approx(each) for each in verdicts(plain)]
    assert [len(remarks(each)) for each in broken] == [remarked] * len(broken)


def test_a_play_that_never_asks_whoever_has_more_to_say_comes_to_an_end() -> None:
    endless = moot.Debate(rounds=None, repeat=(Speeches(), Negotiate()))
    transcript = held(endless, a=[moot.Speech(text="I did.")], judge=[moot.Verdict.sure(0)])
    assert transcript.outcome is None and "1 more by judge has no place in a play of debate" in problems(transcript)
    assert len(list(transcript.steps())) < 9
    both = [moot.Speech(text="I did."), moot.Stop(stop=False)] * 4
    transcript = held(endless, a=both, b=[], judge=[])
    assert problems(transcript)[-1].startswith("step 6.1.0: there is nothing by b")
    assert [step.seat for step in transcript.steps()].count("a") == 8


class Stubborn(moot.Protocol):
    """Its check says that a move stands as what breaks the next rule, without end."""

    def roles(self, question: moot.Question) -> dict[str, str]:
        return {"judge": "judge"}

    async def play(self, floor: Any, question: moot.Question) -> Decided:
        def check(move: Any) -> Any:
            raise Illegal("no", stands=lambda: check(move))

        return Decided(await floor.ask("judge", moot.Verdict, check=check))


def test_rules_without_end_end() -> None:
    with pytest.raises(Illegal, match="no"):
        Game(Stubborn(), QUESTION).start().answer("0", moot.Verdict.sure(0), history=True)
