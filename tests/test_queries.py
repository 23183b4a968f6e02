"""Queries to an oracle: budgets, refusals and what is told hold against judges and oracles of any kind; parts are an open set."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
import moot.testing
from moot.protocols.debate.parts import Part, Speeches, Turn, made_part
from moot.protocols.debate.queries import restates, several, wrapped
from moot.protocols.engine.base import record_of, recorded_protocol
from moot.protocols.engine.errors import ProtocolError, UsageError
from moot.testing import MockOpenAI, check_protocol
from moot.testing.golden import puppet

QUESTION = moot.Question("Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. The admiral fled.")


def judge_of(*claims: str) -> Any:
    """A judge that puts these claims, the last again and again, and believes by nothing."""
    left = list(claims)

    def judge(request: moot.Request) -> moot.Move:
        if moot.OracleQuery in request.kinds:
            return moot.OracleQuery(claim=left.pop(0) if len(left) > 1 else left[0])
        return moot.Verdict.sure(0)

    return judge


def played(
    queries: moot.Queries, judge: Any, oracle: Any = None, question: moot.Question = QUESTION
) -> moot.Transcript:
    found = oracle or (lambda request: moot.OracleAnswer(answer="not addressed", text="It is the admiral."))
    seats = {"debater": lambda request: moot.Speech(text="Believe me."), "oracle": found, "judge": judge}
    play = moot.run(moot.Debate(rounds=1, closing=(queries,)), question, seats, seed=3)
    assert moot.replay(play)
    return play


def of(play: moot.Transcript, kind: str) -> list[dict[str, Any]]:
    return [dict(step.move) for step in play.steps() if step.move["kind"] == kind]


def replies(play: moot.Transcript) -> list[dict[str, Any]]:
    return [event["move"] for event in play.events() if event.get("move", {}).get("kind") == "oracle-reply"]


def queries_of(play: moot.Transcript) -> float:
    return float(play.ledger.seats["judge"].queries)


@pytest.mark.parametrize("budget", [0, 1, 2, 5])
def test_a_judge_that_asks_for_ever_is_held_to_the_budget(budget: int) -> None:
    play = played(moot.Queries(budget=budget), judge_of("The admiral fled"))
    assert isinstance(play.outcome, moot.Decided)
    assert len(of(play, "oracle-query")) == len(of(play, "oracle-answer")) == queries_of(play) == budget
    assert [reply["left"] for reply in replies(play)] == list(range(budget - 1, -1, -1))


@pytest.mark.parametrize("claim, because", [
    ("The admiral sank the fleet!", "restates"), ("Answer 2 is right", "restates"), ("It is true", "restates"),
    ("The storm rose. The admiral fled", "more than one"), ("Did it rise? Did he flee", "more than one"),
    ("he fled; it rose", "more than one"), ("he fled\nit rose", "more than one"),
])  # fmt: skip
def test_what_breaks_the_contract_is_refused_free_once(claim: str, because: str) -> None:
    play = played(moot.Queries(budget=2), judge_of(claim))
    assert of(play, "oracle-answer") == [] and queries_of(play) == 2
    assert [reply["counted"] for reply in replies(play)] == [False, True, True]
    assert all(because in reply["text"] and reply["answer"] is None for reply in replies(play))
    assert len(of(played(moot.Queries(budget=2, screen="none"), judge_of(claim)), "oracle-answer")) == 2


@pytest.mark.parametrize("claim", [
    "The admiral fled", "A storm rose on the ninth night", "Mr. Smith insured the fleet", "The fleet had 3.5 crews", "Smith & Sons paid",
])  # fmt: skip
def test_one_claim_of_its_own_is_put(claim: str) -> None:
    assert not several(claim) and not restates(claim, QUESTION.text, QUESTION.choices)


@given(st.sampled_from(QUESTION.choices), st.text(" .,!?-_'\"\u00a0", max_size=6), st.booleans())
def test_neither_case_nor_signs_hide_a_restatement(choice: str, signs: str, upper: bool) -> None:
    said = f"{signs}{choice.upper() if upper else choice}{signs}"
    assert restates(said, QUESTION.text, QUESTION.choices)
    assert not restates(f"{said} unlike gulls", QUESTION.text, QUESTION.choices)


@pytest.mark.parametrize(
    "choices, claim", [(("yes", "no"), "yes"), (("true", "false"), "that is FALSE"), (("36", "37"), "the sum is 37")]
)
def test_answers_of_plain_words_are_restated_too(choices: tuple[str, str], claim: str) -> None:
    assert restates(claim, "What is the sum?", choices)


@pytest.mark.parametrize("queries, answer, text", [
    (moot.Queries(), "not addressed", "The oracle: not addressed."), (moot.Queries(na="no"), "no", "The oracle: no."),
    (moot.Queries(placebo=True), None, "No verification was made."),
    (moot.Queries(placebo=True, na="no", wrap=2), None, "No verification was made."),
])  # fmt: skip
def test_what_was_found_and_what_was_told_are_both_on_record(
    queries: moot.Queries, answer: str | None, text: str
) -> None:
    seen: list[str] = []

    def oracle(request: moot.Request) -> moot.Move:
        seen.append(request.view.question.text)
        return moot.OracleAnswer(answer="not addressed", text="It is the admiral.")

    play = played(queries, judge_of("The admiral fled."), oracle)
    (found,), (told,) = of(play, "oracle-answer"), replies(play)
    assert found["answer"] == "not addressed" and found["shown"] == seen[0] == wrapped("The admiral fled", queries.wrap)
    assert (told["answer"], told["text"]) == (answer, text) and queries_of(play) == 1


def test_words_wrapped_twice() -> None:
    assert wrapped("he fled?", 1) == "Is it stated that he fled?"
    assert wrapped("he fled.", 2) == "Is it supported that is it stated that he fled?"


@pytest.mark.parametrize("invalid", ["invalid", "yes", "no"])
def test_only_not_addressed_becomes_no(invalid: Any) -> None:
    play = played(moot.Queries(na="no"), judge_of("he fled"), lambda request: moot.OracleAnswer(answer=invalid))
    assert replies(play)[0]["answer"] == invalid


def test_who_is_shown_what() -> None:
    """The oracle sees the source and no speech, the judge no source and no word of the oracle's own."""
    for debate in (False, True):
        shown: dict[str, list[str]] = {"oracle": [], "judge": []}

        def look(request: moot.Request, shown: Any = shown) -> moot.Move:
            said = [entry.move.model_dump_json() for entry in request.view]
            shown[request.seat].append(json.dumps([request.view.question.passage, said]))
            if request.seat == "oracle":
                return moot.OracleAnswer(answer="yes", text="SECRET verdict: the admiral. " * 500)
            return moot.OracleQuery(claim="he fled") if moot.OracleQuery in request.kinds else moot.Verdict.sure(0)

        play = played(moot.Queries(budget=2, debate=debate), look, look)
        assert all("A storm rose" in text and ("Believe me" in text) == debate for text in shown["oracle"])
        assert not any("oracle-" in text for text in shown["oracle"]), "the oracle is shown earlier queries"
        assert not any("A storm rose" in text or "SECRET" in text for text in shown["judge"])
        assert all(len(found["text"]) <= 500 for found in of(play, "oracle-answer"))


def test_a_judge_within_its_own_bound_is_exhausted() -> None:
    judge = moot.Bounded(judge_of("he fled"), queries="1")
    play = played(moot.Queries(budget=2), judge)
    assert isinstance(play.outcome, moot.Exhausted) and play.outcome.measure == "queries"
    assert len(of(play, "oracle-answer")) == 1


def test_an_empty_claim_asks_no_more_and_costs_nothing() -> None:
    play = played(moot.Queries(budget=5), judge_of("he fled", "  "))
    assert queries_of(play) == 1 and isinstance(play.outcome, moot.Decided)


def test_a_long_claim_is_cut_at_last() -> None:
    play = played(moot.Queries(limit=moot.Limit(chars=10, over="retry")), judge_of("gull " * 100))
    assert len(of(play, "oracle-query")[0]["claim"]) <= 10


def test_the_oracle_may_look_and_pays() -> None:
    def oracle(request: moot.Request) -> moot.Move:
        assert request.view.question.data is None
        return moot.OracleAnswer(answer="yes" if request.view.look(1) == 7 else "no")

    question = moot.Question("Which?", ("x", "y"), data=[3, 7], unit="cells")
    play = played(
        moot.Queries(source="metered"), judge_of("entry 1 holds 7"), moot.Bounded(oracle, reads="n + 10"), question
    )
    assert replies(play)[0]["answer"] == "yes" and (play.ledger.seats["oracle"].reads or 0) >= 1


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 4),
    st.lists(st.sampled_from(["the storm", "he fled", "it rose; he fled", ""]), min_size=1, max_size=6),
)
def test_no_order_of_claims_passes_the_budget(budget: int, claims: list[str]) -> None:
    play = played(moot.Queries(budget=budget), judge_of(*claims))
    counted = [reply for reply in replies(play) if reply["counted"]]
    assert len(counted) == queries_of(play) and len(counted) <= budget and len(replies(play)) <= budget + 1
    assert len(of(play, "oracle-answer")) <= len(counted)
    most = moot.Debate(rounds=1, closing=(moot.Queries(budget=budget),)).most_moves(QUESTION)
    assert (
        most and len(of(play, "oracle-query")) <= most["judge"] - 1 and len(of(play, "oracle-answer")) <= most["oracle"]
    )


@pytest.mark.parametrize(
    "said",
    [
        '{"kind":"oracle-answer","answer":"Yes, the admiral"}',
        '{"kind":"verdict","probabilities":{"1":1,"2":0}}',
        "no idea",
    ],
)
def test_a_models_answer_is_never_coerced(said: str) -> None:
    def oracle(body: Any) -> Any:
        return said

    endpoint = MockOpenAI(oracle)
    lm = moot.LM("mock", base_url="http://mock/v1", http_client=endpoint.http_client())
    play = played(moot.Queries(), judge_of("he fled"), lm)
    assert not isinstance(play.outcome, moot.Decided) and replies(play) == []


def test_models_in_all_seats() -> None:
    """Each kind of turn is answered in the form that its prompt asks for."""

    def answer(body: Any) -> Any:
        text = json.dumps(body["messages"])
        assert isinstance(body, dict)
        for kind, move in {
            "oracle-query": {"kind": "oracle-query", "claim": "The admiral fled"},
            "oracle-answer": {"kind": "oracle-answer", "text": "It says so.", "answer": "yes"},
            "speech": {"kind": "speech", "text": "x"},
        }.items():
            if f'\\\\"kind\\\\" is \\\\"{kind}' in text or f'\\"kind\\" is \\"{kind}' in text:
                return {"move": move}
        return {"move": {"kind": "verdict", "text": "", "probabilities": {"1": 0.2, "2": 0.8}}}

    endpoint = MockOpenAI(answer)
    lm = moot.LM("mock", base_url="http://mock/v1", http_client=endpoint.http_client())
    play = moot.run(
        moot.Debate(rounds=1, closing=(moot.Queries(),)),
        QUESTION,
        dict.fromkeys(("debater", "oracle", "judge"), lm),
        seed=1,
    )
    assert isinstance(play.outcome, moot.Decided) and replies(play)[0]["answer"] == "yes", play.outcome


def test_a_recorded_debate_is_judged_again_with_queries() -> None:
    plain = moot.run(moot.Debate(rounds=1), QUESTION, {"debater": puppet, "judge": puppet}, seed=4)
    oracle = lambda request: moot.OracleAnswer(answer="yes")  # noqa: E731
    again = moot.rejudge(plain, judge_of("he fled"), procedure=(moot.Queries(budget=2),), seats={"oracle": oracle})
    assert isinstance(again.outcome, moot.Decided) and queries_of(again) == 2
    steps = {step.step: step.move for step in plain.steps() if step.seat in "ab"}
    assert steps and steps == {step.step: step.move for step in again.steps() if step.seat in "ab"}
    with pytest.raises(UsageError, match="oracle"):
        moot.rejudge(plain, judge_of("he fled"), procedure=(moot.Queries(),))


def test_no_class_is_claimed_with_an_oracle() -> None:
    for made in (moot.Debate, moot.Consultancy):
        assert made(rounds=1).decides(QUESTION) and made(rounds=1, closing=(moot.Queries(),)).decides(QUESTION) is None


def test_laws() -> None:
    check_protocol(moot.Debate(rounds=1, closing=(moot.Queries(budget=2),)), questions=[QUESTION], examples=3)


# -- parts as an open set ------------------------------------------------------------------------------------------------


class Remark(Part):
    """Somebody of its own says a word."""

    part: Literal["remark-for-tests"] = "remark-for-tests"
    by: str = "guest"

    @property
    def seats(self) -> Mapping[str, str]:
        return {self.by: "guest"}

    def most(self, said: int) -> Mapping[str, int]:
        return {self.by: 1}

    async def hold(self, floor: moot.Floor, answers: Mapping[str, int], turn: Turn) -> None:
        await floor.ask(self.by, moot.Speech, task="remark")


def test_a_part_of_ones_own_is_recorded_and_found_again() -> None:
    protocol = moot.Debate(rounds=1, opening=(Remark(by="visitor"),), closing=(Remark(), moot.Feedback()))
    assert protocol.roles(QUESTION) == {
        "a": "debater",
        "b": "debater",
        "judge": "judge",
        "visitor": "guest",
        "guest": "guest",
    }
    record = json.loads(json.dumps(record_of(protocol)))
    assert record["params"]["opening"] == [{"part": "remark-for-tests", "by": "visitor"}]
    assert recorded_protocol(record) == protocol and record_of(recorded_protocol(record)) == record_of(protocol)
    play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), puppet), seed=2)
    assert moot.replay(play) and play.protocol == protocol
    with pytest.warns(moot.testing.NotExamined, match="moot.parts"):  # no other process knows it
        check_protocol(moot.Debate(rounds=1, closing=(Remark(),)), questions=[QUESTION], examples=2)


class Unnamed(Speeches):
    """Held otherwise, and called as the part that it derives from: a record of it would be replayed as that."""


@pytest.mark.parametrize("given, said", [
    (Unnamed(), "Unnamed needs a name of its own"), (Part(), "needs a name of its own"), (3, "3 is no part of a debate"),
    ({"part": "speechs"}, "no part is called 'speechs'.*speeches.*moot.parts"), ({"limit": None}, "is no part"),
    ({"part": "speeches", "order": "loud"}, "part speeches: order: "), ({"part": "queries", "budget": -1}, "part queries: budget"),
    ({"part": "queries", "budget": True}, "budget"), ({"part": "queries", "placebo": 1}, "placebo"), ({"part": 7}, "is no part"),
])  # fmt: skip
def test_what_is_no_part_is_refused_by_name(given: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        made_part(given)
    with pytest.raises(UsageError, match=said):
        moot.Debate(closing=(given,))


def test_what_judges_stands_in_closing() -> None:
    with pytest.raises(UsageError, match="Deliberation judges what was said"):
        moot.Debate(opening=(moot.Deliberation(),))


def test_a_name_is_a_literal() -> None:
    with pytest.raises(ProtocolError, match="part: Literal"):

        class Odd(Part):
            part: str = "odd"


@pytest.mark.parametrize("seat", ["a", "judge"])
def test_an_oracle_has_a_seat_of_its_own(seat: str) -> None:
    with pytest.raises(UsageError, match=f"seat '{seat}' is the"):
        moot.Debate(closing=(moot.Queries(to=seat),)).roles(QUESTION)


def test_what_is_declared() -> None:
    protocol = moot.Debate(closing=(moot.Queries(source="metered"),))
    assert protocol.sees(QUESTION) == {"a": "all", "b": "all", "judge": "none", "oracle": "metered"}
    assert "oracle" in protocol.metadata(QUESTION).players
    assert moot.OracleAnswer(answer="yes", text="my reasons").as_public().text == ""
    assert not restates("it is the rows", "What is the sum of the rows?", ("yes", "no"))
