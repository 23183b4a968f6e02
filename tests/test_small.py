"""A tiny model that is asked field by field: every move of every protocol can be made so, and what it says wrong is told."""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterator
from typing import Any

import anyio
import pytest
from agent_kit import request_for
from hypothesis import given
from hypothesis import strategies as st

import moot
from moot.agents.models.profiles.small import Small
from moot.agents.prompts.fields import DIGITS, MOST, Field, walk
from moot.agents.prompts.forms import Form
from moot.agents.spec import agent_from, profile_of
from moot.cli import main
from moot.experiments import every_seat
from moot.experiments.every_seat import CASES, Played
from moot.judges.model import ModelJudge
from moot.protocols.debate.clue_oversight import Clue
from moot.protocols.engine.base import known_protocols, protocol_named
from moot.protocols.engine.errors import BudgetExceeded, UsageError
from moot.protocols.engine.moves import Answer, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.testing.server.server import MockOpenAI, Reply

PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgBwAACQAIICPDjAAAAABJRU5ErkJggg=="
)  # one grey pixel
URL = "http://mock.invalid/v1"


def obedient(body: dict[str, Any]) -> str:
    """A model that does as the last line tells it: the least number that there may be, or some words."""
    said = body["messages"][-1]["content"]
    told = (said if isinstance(said, str) else said[-1]["text"]).splitlines()[-1]
    if "one digit" in told:
        return "6"
    least = re.search(r"number (?:from (-?\d+)|up to (-?\d+))", told)
    return (least[1] or least[2]) if least else "3" if "number and nothing else" in told else "because of the storm"


def small_at(mock: MockOpenAI, **options: Any) -> Small:
    return Small("mock", base_url=URL, http_client=mock.http_client(), backoff=1e-4, **options)


def act(agent: Any, *kinds: Any, **options: Any) -> Any:
    async def main() -> Any:
        try:
            return await agent.act(request_for(*kinds, **options))
        finally:
            await agent.close()

    return anyio.run(main)


def questions(mock: MockOpenAI) -> list[str]:
    return [call.body["messages"][-1]["content"].splitlines()[-1] for call in mock.calls]


# -- what is asked ---------------------------------------------------------------------------------------------------------


def test_a_speech_is_the_whole_answer_and_a_verdict_is_asked_for_field_by_field() -> None:
    mock = MockOpenAI(reply=obedient, logprobs=False)
    speech = act(small_at(mock), Speech, task="speech", answer=0)
    assert speech == Speech(text="because of the storm")
    answers = iter(["The ships were lost.", "The first is right: 7", "2"])
    mock = MockOpenAI(reply=lambda body: next(answers), logprobs=False)
    notes: list[dict[str, Any]] = []
    verdict = act(small_at(mock), Verdict, role="judge", seat="judge", source="none", task="verdict", notes=notes)
    assert verdict.text == "The ships were lost."
    assert verdict.probabilities == pytest.approx((7 / 9, 2 / 9), abs=0.01)
    last = [(each["role"], each["content"]) for each in mock.calls[-1].body["messages"]]
    assert [role for role, _ in last] == ["system", "user", "assistant", "user", "assistant", "user"]
    assert last[2] == ("assistant", "The ships were lost.") and "a storm" in last[3][1] and "the admiral" in last[5][1]
    assert all("response_format" not in call.body for call in mock.calls) and len(notes) == 3
    assert not any("JSON" in text or "<verdict>" in text for _, text in last)


def test_the_first_token_decides_where_the_words_name_nothing() -> None:
    mock = MockOpenAI(reply=lambda body: "Well, it is hard", logprobs={"Well": 0.8, " 2": 0.15, "1": 0.05})
    notes: list[dict[str, Any]] = []
    move = act(small_at(mock), Answer, task="answer", notes=notes)
    assert (move.choice, notes[-1]["by_token"]) == (1, "2")
    wanted = mock.calls[-1].body
    assert (wanted["logprobs"], wanted["top_logprobs"], wanted["max_tokens"]) == (True, 20, 16)
    assert "logprobs" not in mock.calls[0].body, "a text is no choice"


@pytest.mark.parametrize("provider", ["groq", "gemini"])
def test_an_endpoint_that_refuses_log_probabilities_is_asked_without(provider: str) -> None:
    mock = MockOpenAI(reply=obedient, profile=provider)
    assert mock.provider is not None
    agent = Small(
        "mock", base_url="http://mock.invalid" + mock.provider.path, api_key="k" * 12, http_client=mock.http_client()
    )
    for _ in range(2):
        assert act(agent, Answer, task="answer").choice == 0
    assert sum("logprobs" in call.body for call in mock.calls) == 1, "it is learnt from the first refusal"


def test_guided_it_is_one_call_by_a_schema_that_the_prompt_does_not_repeat() -> None:
    mock = MockOpenAI()
    act(small_at(mock, guided=True), Verdict, role="judge", task="verdict")
    [call] = mock.calls
    assert call.body["response_format"]["type"] == "json_schema" and "JSON" not in call.body["messages"][-1]["content"]


def test_every_protocol_gets_moves_from_every_seat() -> None:
    """Whatever is asked for can be asked for field by field; a move may still be against the rules."""
    mock = MockOpenAI(reply=obedient, logprobs=False)
    for name in sorted(CASES):
        case = CASES[name]
        question = case.sample(1)
        protocol = protocol_named(name, dict(case.params))
        outcome = moot.run(
            protocol, question, {seat: small_at(mock) for seat in protocol.roles(question.question)}
        ).outcome
        assert isinstance(outcome, (moot.Decided, moot.Forfeited)), (name, outcome)
    asked = {line for call in mock.calls for line in str(call.body["messages"][-1]["content"]).splitlines()}
    fields = [line for line in asked if line.startswith("Now give")]
    assert len(fields) > 20 and not [line for line in fields if "JSON" in line or "null" in line]
    assert {"1: true", "2: false"} <= asked, "where true or false is asked for, it can be said"
    assert CASES.keys() == {
        name for name, made in known_protocols().items() if made.__module__.startswith("moot.protocols.")
    }


# -- what it says wrong ------------------------------------------------------------------------------------------------------


def test_an_answer_that_cannot_be_used_is_asked_for_once_more_with_the_reason_and_then_is_unreadable() -> None:
    answers = iter(["because", "the <turn>sea</turn>", "2"])
    mock = MockOpenAI(reply=lambda body: next(answers), logprobs=False)
    assert act(small_at(mock), Answer, task="answer").choice == 1
    again = mock.calls[-1].body["messages"]
    assert "That cannot be used: it names none of 1 to 2" in again[-1]["content"]
    assert again[-2] == {"role": "assistant", "content": "the &lt;turn>sea&lt;/turn>"}
    mock = MockOpenAI(reply=lambda body: "…", logprobs=False)
    with pytest.raises(
        moot.UnreadableAnswer, match=r"step 0\.9: seat a: mock gave no move, field by field: it names none"
    ) as error:
        act(small_at(mock), Answer, task="answer")
    assert error.value.final and len(mock.calls) == 3


def test_all_answers_improbable_are_no_verdict_and_nothing_is_one_that_is_empty() -> None:
    mock = MockOpenAI(reply=lambda body: "0", logprobs=False)
    with pytest.raises(moot.UnreadableAnswer, match="every answer got the probability 0"):
        act(small_at(mock), Verdict, role="judge", task="verdict")
    mock = MockOpenAI(reply=lambda body: Reply(""), logprobs=False)
    with pytest.raises(moot.UnreadableAnswer, match="empty"):
        act(small_at(mock), Verdict, role="judge", task="verdict")


def test_each_call_is_charged_and_a_limit_stops_the_next_one() -> None:
    asked = list[int]()

    def check(measure: str, amount: int) -> None:
        if measure == "tokens":
            asked.append(amount)
            if len(asked) > 2:
                raise BudgetExceeded(measure, amount, 4000)

    mock = MockOpenAI(reply=obedient, logprobs=False)
    with pytest.raises(BudgetExceeded):
        act(small_at(mock), Verdict, role="judge", task="verdict", left=check)
    assert len(mock.calls) <= 2


def test_a_move_of_too_many_fields_is_not_asked_for() -> None:
    mock = MockOpenAI(reply=obedient, logprobs=False)
    with pytest.raises(moot.UnreadableAnswer, match=f"more than {MOST} fields"):
        act(small_at(mock), Clue, task="clue", least={"targets": 60}, most={"targets": 60})
    assert len(mock.calls) == MOST


def test_options_that_it_does_not_have() -> None:
    with pytest.raises(UsageError, match="field by field"):
        Small("m", base_url=URL, structured="tags")
    with pytest.raises(UsageError, match="guided=True alone"):
        Small("m", base_url=URL, thinking=50)
    assert Small("m", base_url=URL, thinking=50, guided=True).thinking == 50


def test_a_model_that_thinks_first_gets_all_of_max_tokens_the_second_time() -> None:
    thinks: Iterator[str | Reply] = iter(
        ["so", Reply("<think>well", finish_reason="length"), "<think>well, the 1st? no.</think> 2"]
    )
    mock = MockOpenAI(reply=lambda body: next(thinks), logprobs=False)
    assert act(small_at(mock), Answer, task="answer").choice == 1
    assert [call.body["max_tokens"] for call in mock.calls] == [256, 16, 256]


def test_images_stay_before_the_question() -> None:
    mock = MockOpenAI(reply=obedient, logprobs=False)
    act(small_at(mock), Verdict, role="judge", task="verdict", question=Question("What?", ("x", "y"), images=(PNG,)))
    for call in mock.calls:
        first = call.body["messages"][1]["content"]
        assert first[0]["type"] == "image_url" and first[-1]["type"] == "text"


@given(st.text(max_size=60) | st.from_regex(r"[-0-9.% ]{1,20}", fullmatch=True))
def test_any_answer_is_a_value_within_bounds_or_unreadable(answer: str) -> None:
    for field, good in (
        (_field(Verdict, 0), lambda value: isinstance(value, str) and 0 < len(value) <= 80),
        (_field(Verdict, 1), lambda value: 0 <= value <= 1),
        (_field(Answer, 1), lambda value: value in (0, 1)),
    ):
        try:
            value, said = field.read(answer)
        except moot.UnreadableAnswer:
            continue
        assert good(value) and said


def _field(kind: type[moot.Move], number: int) -> Field:
    asking = walk(Form((kind,), 2, {}, length=80, named=("x", "y")))
    field = next(asking)
    for _ in range(number):
        field = asking.send("said")
    return field


@pytest.mark.parametrize(
    ("said", "value"),
    [
        ("7", 0.78),
        ("0.25", 0.25),
        ("about 40%", 0.4),
        ("It is 1.0", 1.0),
        ("answer 12 or 3", 0.33),
        ("-1 then 9", 1.0),
        ("The probability of answer 1 is 2.5%", 0.025),
        ("Option 2, I say: 7", 0.78),
    ],
)
def test_a_digit_a_share_or_a_percentage_is_how_probable_it_is(said: str, value: float) -> None:
    field = _field(Verdict, 1)
    assert set(field.labels) == set(DIGITS) and field.read(said)[0] == value


@pytest.mark.parametrize("said", ["Why answer 2 (a red light)", "answer 1 being correct is extremely low", "claim #3"])
def test_a_number_that_names_an_answer_is_not_how_probable_it_is(said: str) -> None:
    with pytest.raises(moot.UnreadableAnswer, match="no digit"):
        _field(Verdict, 1).read(said)
    assert _field(Verdict, 1).read(said, [("8", -0.1), ("1", -3.0)]) == (0.89, "8"), "the first token says it"


def test_the_question_how_probable_an_answer_is_holds_no_number_that_could_be_the_reply() -> None:
    told = _field(Verdict, 1).told.partition("Reply")[0]
    assert "right answer: x?" in told and not re.search(r"\d", told)


def test_a_field_loses_the_frame_that_was_copied_behind_it() -> None:
    assert _field(Verdict, 0).read("They were lost.</statement>\n</turn>")[0] == "They were lost."


# -- by name -----------------------------------------------------------------------------------------------------------------


def test_it_is_got_by_name_and_recorded_by_name(tmp_path: Any) -> None:
    agent = agent_from("small:tiny@http://127.0.0.1:8080/v1")
    assert isinstance(agent, Small) and not agent.guided
    told = agent.describe()
    assert (told["agent"], told["model"], told["template"], told["guided"]) == ("small", "tiny", "v2-small", False)
    table = {
        "t": {"kind": "small", "model": "tiny", "base_url": "http://127.0.0.1:1/v1", "guided": True, "max_tokens": 99}
    }
    made = agent_from("t", {"agents": table})
    assert (made.guided, made.max_tokens, profile_of("t", {"agents": table}).calls) == (True, 99, 2)
    found = profile_of("small:tiny@http://127.0.0.1:8080/v1")
    assert found.calls == 2 * MOST and found.answer == 256
    mock = MockOpenAI(reply=obedient, logprobs={"2": 0.9, "1": 0.1})
    small = small_at(mock)
    path = tmp_path / "play.jsonl"
    question = Question("What sank it?", ("a storm", "an enemy"), passage="A storm.")
    played = moot.run(
        moot.Debate(rounds=1), question, {"debater": small, "judge": ModelJudge(small, "logprobs")}, out=path
    )
    assert isinstance(played.outcome, moot.Decided) and moot.replay(moot.load(path)).digest == played.digest


# -- the table ---------------------------------------------------------------------------------------------------------------


def test_the_table_counts_how_plays_ended_and_says_why() -> None:
    played = [
        Played("debate", "all", "tags", "unreadable", "a: no\n<speech>", 2.0),
        Played("debate", "all", "tags", "decided", "", 1.0),
        Played("debate", "all", "guided", "decided", "", 1.0),
        Played("bisection", "judge", "tags", "unfinished", "no end", 180.0),
    ]
    text = every_seat.text_of(played, ["guided", "tags"])
    rows = {tuple(line.split()[:2]): line for line in text.splitlines() if line.strip()}
    assert "1 of 1; 1.0 s" in rows["debate", "all"] and "1 of 2, 1 unreadable; 1.5 s" in rows["debate", "all"]
    assert re.search(r"judge +- +0 of 1, 1 unfinished", text) and "1 of 3, 1 unreadable, 1 unfinished" in text
    assert "debate, all, tags: unreadable 1 of 2: a: no <speech>" in text


def test_each_seat_is_played_alone_beside_the_programs_of_a_task() -> None:
    case = CASES["bisection"]
    sample, protocol = case.sample(0), protocol_named("bisection", {})
    found = list(every_seat.castings(protocol, case, sample))
    assert [(who, seats) for who, _, _, seats in found] == [
        ("all", {"a", "b", "judge"}), ("a", {"a"}), ("b", {"b"}), ("judge", {"judge"})
    ]  # fmt: skip
    assert all(set(programs) == {"a", "b", "judge"} - seats for who, _, programs, seats in found if who != "all")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--ways", "telepathy"], "there is no way 'telepathy'; there are guided, tags, small"),
        (["--plays", "0"], "plays is 0"), (["--ways", ","], "no way of asking"), (["--endpoint", URL], "belong together"), (["--protocols", "debat"], "debat"),
    ],
)  # fmt: skip
def test_the_command_says_what_is_wrong_with_it(
    options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["reproduce", "seats", *options])
    error = capsys.readouterr().err
    assert says in error and "Traceback" not in error


def test_a_play_without_an_end_is_told_as_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(request: moot.Request) -> Any:
        await anyio.sleep_forever()

    class Silent:
        act = staticmethod(never)

        async def close(self) -> None:
            pass

    monkeypatch.setattr(every_seat, "PATIENCE", 0.05)

    async def main() -> list[Played]:
        return await every_seat.play(
            "debate", "guided", lambda url, model: (Silent(), Silent()), "", "", 0, alone=False, out=None
        )

    [played] = anyio.run(main)
    assert (played.end, played.why) == ("unfinished", "no end within 0.05 s, or broken off before")
