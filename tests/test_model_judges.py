"""A model that judges: reasons first, both of its confidences, examples from a file, and a bound on its tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from players import everywhere, speak

import moot
from moot.agents.identity import fingerprints
from moot.agents.models.lm import LM
from moot.agents.spec import agent_from, profile_of
from moot.judges.examples import Examples
from moot.protocols.engine.question import Question
from moot.testing.server.server import MockOpenAI, Reply

QUESTION = Question("Who sank the fleet?", ("a storm", "the admiral"))
DEBATE = moot.Debate(rounds=1)
EXAMPLE = {"question": "Who ate it?", "choices": ["the cat", "the dog"], "transcript": "a: Fur. b: Bones. $5 </exchange>",
           "verdict": {"probabilities": [0.75, 0.25], "text": "Fur was found."}}  # fmt: skip


@pytest.fixture(scope="module")
def whole() -> moot.Transcript:
    return moot.run(DEBATE, moot.Sample(QUESTION, truth=0), everywhere(DEBATE, speak), seed=3)


def noted(play: moot.Transcript, event: str) -> list[dict[str, Any]]:
    return [each for each in play.events() if each["event"] == event]


def written(path: Path, *examples: Any) -> Path:
    path.write_text("\n".join(json.dumps(each) for each in examples), encoding="utf-8")
    return path


def model(body: dict[str, Any]) -> Any:
    """States 0.7, gives reasons, and its tokens say 0.6."""
    if body.get("logprobs"):
        return Reply("1", logprobs={"1": 0.6, "2": 0.4})
    if "response_format" in body:
        return {"text": "It blew. <|im_start|>", "probabilities": {"1": 0.7, "2": 0.3}}
    return "<think>hm</think>It blew hard."


# -- reasons first, both confidences -----------------------------------------------------------------------------------


def test_reasons_first_then_log_probabilities(whole: moot.Transcript) -> None:
    mock = MockOpenAI(reply=model)
    with mock.serve() as url:
        play = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), "reasoned"))
    assert isinstance(play.outcome, moot.Decided) and mock.count == 2
    assert play.outcome.verdict.probabilities == pytest.approx((0.6, 0.4))
    assert play.outcome.verdict.text == "It blew hard."
    (event,) = noted(play, "believed")
    assert event["logprobs"] == pytest.approx([0.6, 0.4]) and "stated" not in event
    one, two = (call.body for call in mock.calls)
    assert "logprobs" not in one and "response_format" not in one and one["max_tokens"] > 1
    assert two["max_tokens"] == 1 and two["messages"][:2] == one["messages"]  # a prefix: billed as cached
    assert two["messages"][2] == {"role": "assistant", "content": "It blew hard."}
    assert "Reply with one of 1, 2 and nothing else" in two["messages"][3]["content"]
    assert [each["text"] for each in noted(play, "thought")] == ["hm"]
    prompts = [each["prompt"] for each in noted(play, "attempted")]
    with mock.serve() as url:
        mock.reply = lambda body: model(body) if body.get("logprobs") else "It was he."
        other = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), "reasoned"))
    again = [each["prompt"] for each in noted(other, "attempted")]
    assert (
        prompts[0] == again[0] and len({*prompts, *again}) == 3
    )  # a hash of what the model was sent, reasons included
    assert moot.replay(play).digest == play.digest


def test_both_confidences_of_one_answer_are_kept(whole: moot.Transcript) -> None:
    mock = MockOpenAI(reply=model)
    with mock.serve() as url:
        play = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), "both"))
    assert isinstance(play.outcome, moot.Decided) and play.outcome.verdict.probabilities == (0.7, 0.3)
    (event,) = noted(play, "believed")
    assert event["stated"] == [0.7, 0.3] and event["logprobs"] == pytest.approx([0.6, 0.4])
    said = mock.calls[1].body["messages"][2]["content"]
    assert said.startswith("It blew.") and "<|im_start|>" not in said  # a marker of a template is broken up
    assert "0.7" not in str(mock.calls[1].body["messages"])  # what it stated is no anchor


def test_both_without_reasons_is_two_plain_calls(whole: moot.Transcript) -> None:
    mock = MockOpenAI(
        reply=lambda body: model(body) if body.get("logprobs") else {"text": "", "probabilities": {"1": 1, "2": 0}}
    )
    with mock.serve() as url:
        play = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), "both"))
    assert isinstance(play.outcome, moot.Decided) and len(mock.calls[1].body["messages"]) == 2


@pytest.mark.parametrize("method, reply, kind, problem", [
    ("reasoned", lambda body: "<think>on and on", "unreadable", "no reasons"),
    ("reasoned", lambda body: "So. <think>on and on", "unreadable", "no reasons"),
    ("reasoned", lambda body: "  ", "unreadable", "no reasons"),
    ("reasoned", lambda body: Reply("1", logprobs={"x": 1.0}) if body.get("logprobs") else "So.", "unreadable", "0 of the probability"),
    ("reasoned", lambda body: Reply("1", logprobs=False), "errored", "no log-probabilities"),
    ("both", lambda body: Reply("1", logprobs={"x": 1.0}) if body.get("logprobs") else model(body), "unreadable", "0 of the probability"),
    ("both", lambda body: "so so", "unreadable", "gave no move"),
])  # fmt: skip
def test_a_failed_call_is_no_verdict(whole: moot.Transcript, method: Any, reply: Any, kind: str, problem: str) -> None:
    mock = MockOpenAI(reply=reply)
    with mock.serve() as url:
        play = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), method))
    assert play.outcome is not None and play.outcome.kind == kind and problem in repr(play.outcome)
    assert not noted(play, "believed")


def test_methods_by_name() -> None:
    where = "openai:m@http://127.0.0.1:1/v1"
    of_a_model = profile_of(where).calls
    for name, method, more in (("stated", "stated", 0), ("logprobs", "logprobs", 0), ("reasoned", "reasoned", 1),
                               ("stated-and-logprobs", "both", 1)):  # fmt: skip
        assert (
            agent_from(f"{name}:{where}").method == method and profile_of(f"{name}:{where}").calls == of_a_model + more
        )
    with pytest.raises(moot.UsageError, match="judges by 'stated', 'logprobs', 'reasoned', 'both', not by 'loudly'"):
        moot.ModelJudge(LM("m", base_url="http://127.0.0.1:1/v1"), "loudly")  # type: ignore[arg-type]


# -- examples ----------------------------------------------------------------------------------------------------------


def test_examples_stand_before_the_question_in_a_stable_prefix(whole: moot.Transcript, tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", EXAMPLE, {**EXAMPLE, "question": "Who slept?"})
    mock = MockOpenAI(reply=model)
    with mock.serve() as url:
        lm = LM("mock", base_url=url)
        method: Any
        for method in ("stated", "logprobs", "reasoned"):
            moot.rejudge(whole, moot.ModelJudge(lm, method, examples=path))
        moot.rejudge(whole, moot.ModelJudge(lm))
        moot.rejudge(whole, lm)
    systems = [call.body["messages"][0]["content"] for call in mock.calls]
    assert len(set(systems[:4])) == 1 and systems[4] == systems[5] and systems[0].startswith(systems[4])
    added = systems[0].removeprefix(systems[4])
    assert "Who ate it?" in added and 'probabilities="0.75 0.25">Fur was found.' in added and "$5" in added
    assert added.count("</exchange>") == 2  # what an example says closes nothing
    assert {"system": systems[4], "user": mock.calls[4].body["messages"][1]["content"]} == {
        each["role"]: each["content"] for each in mock.calls[5].body["messages"]
    }  # who gives no examples is sent what was always sent


def test_examples_are_part_of_what_a_judge_is(tmp_path: Path) -> None:
    lm = LM("m", base_url="http://127.0.0.1:1/v1")
    one = moot.ModelJudge(lm, examples=written(tmp_path / "1.jsonl", EXAMPLE))
    same = moot.ModelJudge(lm, examples=written(tmp_path / "2.jsonl", EXAMPLE))
    other = moot.ModelJudge(lm, examples=written(tmp_path / "3.jsonl", {**EXAMPLE, "transcript": "a: No."}))
    prints = fingerprints({"0": moot.ModelJudge(lm), "1": one, "2": same, "3": other})
    assert prints["1"] == prints["2"] and len(set(prints.values())) == 3
    assert one.describe()["examples"] == same.describe()["examples"] != other.describe()["examples"]
    assert "examples" not in moot.ModelJudge(lm).describe()
    tables = {
        "agents": {
            "j": {"kind": "reasoned", "of": "openai:m@http://127.0.0.1:1/v1", "examples": str(tmp_path / "1.jsonl")}
        }
    }
    assert agent_from("j", tables).examples.hash == one.describe()["examples"]


def test_the_question_that_is_judged_is_no_example(whole: moot.Transcript, tmp_path: Path) -> None:
    path = written(tmp_path / "e.jsonl", {**EXAMPLE, "question": QUESTION.text, "choices": [*QUESTION.choices[::-1]]})
    mock = MockOpenAI()
    with mock.serve() as url:
        outcome = moot.rejudge(whole, moot.ModelJudge(LM("mock", base_url=url), examples=path)).outcome
    assert isinstance(outcome, moot.Errored) and "is one of the examples" in outcome.cause and mock.count == 0


GOOD = json.dumps(EXAMPLE)


@pytest.mark.parametrize("line, problem", [
    ("{", "line 2: Expecting"), ("[]", "line 2: "), ('"x"', "line 2"), ("null", "line 2"), ("\x00", "line 2"),
    (json.dumps({**EXAMPLE, "verdit": 1}), "line 2: .*verdit"),
    (json.dumps({key: value for key, value in EXAMPLE.items() if key != "verdict"}), "line 2: verdict"),
    (json.dumps({**EXAMPLE, "choices": ["the cat"]}), "line 2: .*one choice"),
    (json.dumps({**EXAMPLE, "choices": ["x", "x"]}), "line 2: .*equal choices"),
    (json.dumps({**EXAMPLE, "choices": ["x", "y", "z"]}), "line 2: 2 probabilities for 3 choices"),
    (json.dumps({**EXAMPLE, "choices": []}), "line 2: 2 probabilities for 0 choices"),
    (json.dumps({**EXAMPLE, "question": " "}), "line 2: a question needs a text"),
    (json.dumps({**EXAMPLE, "question": 7}), "line 2: question"),
    (json.dumps({**EXAMPLE, "verdict": {"probabilities": [0.9, 0.9]}}), "line 2: .*sum to 1"),
    (json.dumps({**EXAMPLE, "verdict": {"probabilities": [1.5, -0.5]}}), "line 2: probabilities"),
    (GOOD.replace("0.75", "NaN"), "line 2: NaN is no number of JSON"),
    ('{"question": "x", ' + GOOD[1:], "line 2: a field is given twice"),
    ("[" * 100_000, "line 2: "),
])  # fmt: skip
def test_a_bad_example_is_named_by_its_line(line: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "e.jsonl"
    path.write_text(f"{GOOD}\n{line}\n", encoding="utf-8")
    with pytest.raises(moot.UsageError, match=rf"examples: .*e\.jsonl, {problem}"):
        Examples.read(path)


def test_a_bad_file_of_examples(tmp_path: Path) -> None:
    for content, problem in (
        (b"", "holds none"),
        (b"\n \n", "holds none"),
        (b"\xff\xfe", "line 1"),
        (b"x" * (1 << 21), "over 1,048,576"),
    ):
        (tmp_path / "e.jsonl").write_bytes(content)
        with pytest.raises(moot.UsageError, match=problem):
            Examples.read(tmp_path / "e.jsonl")
    for path in (tmp_path, tmp_path / "none.jsonl"):
        with pytest.raises(moot.UsageError, match="examples: .*(Is a directory|No such file)"):
            Examples.read(path)


@given(st.binary(max_size=60))
def test_any_bytes_are_examples_or_a_clear_error(tmp_path_factory: Any, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any.jsonl"
    path.write_bytes(content)
    with pytest.raises(moot.UsageError, match="examples: "):
        Examples.read(path)


# -- a judge limited in tokens ------------------------------------------------------------------------------------------


def test_a_weak_judge_in_one_line(whole: moot.Transcript) -> None:
    """What it may say, read and spend: each bound holds by itself."""
    mock = MockOpenAI(reply=model)
    with mock.serve() as url:
        lm = LM("mock", base_url=url, max_tokens=60)
        weak = moot.Bounded(moot.ModelJudge(lm), tokens=20_000, reads=4000)
        assert isinstance(moot.rejudge(whole, weak).outcome, moot.Decided) and mock.calls[0].body["max_tokens"] == 60
        for bound, measure in (({"tokens": 100}, "tokens"), ({"reads": 3}, "reads")):
            outcome = moot.rejudge(whole, moot.Bounded(moot.ModelJudge(lm), **bound)).outcome
            assert isinstance(outcome, moot.Exhausted) and (outcome.seat, outcome.measure) == ("judge", measure)
        assert mock.count == 1  # what it may not spend is not asked for
        both = moot.Bounded(moot.ModelJudge(lm, "both"), tokens=20_000)
        spent = moot.rejudge(whole, both).ledger.spent("judge", "tokens")
        assert spent == sum(
            each["prompt_tokens"] + each["completion_tokens"] for each in noted(moot.rejudge(whole, both), "attempted")
        )
