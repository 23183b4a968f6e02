"""What a model thinks before its move: asked for in a field or tag of its own, kept, charged, and never shown to a seat."""

from __future__ import annotations

import json
from contextvars import ContextVar
from typing import Any, Literal

import anyio
import httpx2
import pytest
from agent_kit import Mock, completion, request_for
from catalogue_kit import OURS, question_for
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.agents.models.kinds import OpenAIKind
from moot.agents.models.lm import LM
from moot.agents.prompts.asking import read_move
from moot.agents.prompts.forms import SCRATCH, Form, tag_of
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer
from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Answer, Move, Speech, Stop, Verdict
from moot.testing import MockOpenAI
from moot.testing.checks.secrecy import _parts
from moot.testing.golden import puppet


class Musing(Move):
    """A move that has a field of that name itself."""

    kind: Literal["musing-in-tests"] = "musing-in-tests"
    thinking: str
    text: str


def lm(mock: Mock, thinking: int | None = 90, **options: Any) -> LM:
    made = {"base_url": "http://here/v1", "api_key": "k", "max_tokens": 40, "retries": 0, **options}
    return LM("m", http_client=mock.client(), thinking=thinking, **made)


def given_by(
    *answers: Any, heard: list[Any] | None = None, thinking: int | None = 90, kinds: Any = (Speech,), **options: Any
) -> Any:
    left = iter(answers)
    notes: list[Any] = []
    mock = Mock(lambda body, i: next(left))
    request = request_for(*kinds, heard=heard, notes=notes)
    move: Any
    try:
        move = anyio.run(lm(mock, thinking, **options).act, request)
    except UnreadableAnswer as error:
        move = error
    return move, mock.bodies, notes


def test_thinking_is_asked_for_first_and_set_apart() -> None:
    heard: list[Any] = []
    said = json.dumps({"thinking": "Hm. Nine?", "kind": "speech", "text": "Nine ships."})
    move, (body,), _ = given_by(said, heard=heard)
    assert move == Speech(text="Nine ships.")
    assert [(each["event"], each["text"]) for each in heard] == [("thought", "Hm. Nine?"), ("answered", said)]
    schema = body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["thinking", "kind", "text"] == schema["required"]
    assert body["max_tokens"] == 40 + 90, "what is said keeps its own room"
    assert '"thinking" is your private thinking' in body["messages"][-1]["content"]
    assert "at most 60 words" in body["messages"][-1]["content"]


def test_of_several_kinds_it_stands_beside_the_move() -> None:
    heard: list[Any] = []
    said = json.dumps({"thinking": "Enough.", "move": {"kind": "stop", "stop": True}})
    move, (body,), _ = given_by(said, heard=heard, kinds=(Speech, Stop))
    assert move == Stop(stop=True) and heard[0]["text"] == "Enough."
    assert list(body["response_format"]["json_schema"]["schema"]["properties"]) == ["thinking", "move"]


def test_between_tags_it_stands_before_the_move() -> None:
    heard: list[Any] = []
    said = "<thinking>Hm.</thinking>\n<speech>Nine ships.</speech>"
    move, (body,), _ = given_by(said, heard=heard, structured="tags")
    assert move == Speech(text="Nine ships.") and heard[0]["text"] == "Hm."
    assert "First write <thinking>…</thinking>" in body["messages"][-1]["content"]


def test_none_is_asked_for_unless_it_is_wanted() -> None:
    _, (body,), _ = given_by('{"kind": "speech", "text": "So."}', thinking=None)
    assert "thinking" not in json.dumps(body) and body["max_tokens"] == 40


def test_a_field_of_that_name_is_the_moves_own() -> None:
    heard: list[Any] = []
    said = json.dumps({"scratchpad": "apart", "kind": "musing-in-tests", "thinking": "mine", "text": "So."})
    move, (body,), _ = given_by(said, heard=heard, kinds=(Musing,))
    assert move == Musing(thinking="mine", text="So.") and heard[0]["text"] == "apart"
    assert list(body["response_format"]["json_schema"]["schema"]["properties"])[0] == "scratchpad"
    assert all(parted(f"<{name}>x</{name}>y").thoughts == "x" for name in SCRATCH), "each is a mark of thinking"


@pytest.mark.parametrize("structured", ["auto", "tags"])
@pytest.mark.parametrize("again", [True, False])
def test_thinking_that_takes_all_the_room_is_told_asked_for_less_and_given_up(structured: str, again: bool) -> None:
    tagged = structured == "tags"
    endless = ("<thinking>" if tagged else '{"thinking": "') + "well " * 30
    cut = completion(endless, "length", {"prompt_tokens": 100, "completion_tokens": 130})
    right = (
        "<thinking>no</thinking><speech>So.</speech>"
        if tagged
        else '{"thinking": "no", "kind": "speech", "text": "So."}'
    )
    heard: list[Any] = []
    move, bodies, notes = given_by(cut, right if again else cut, heard=heard, structured=structured)
    assert len(bodies) == 2 and [body["max_tokens"] for body in bodies] == [130, 130]
    told = bodies[1]["messages"][-1]["content"]
    assert "took all the tokens" in told and "at most 14 words" in told and "well well" not in told
    assert [note["completion_tokens"] for note in notes if note["event"] == "attempted"] == [130, 20 if again else 130]
    assert heard[0]["event"] == "thought" and heard[0]["text"].startswith("well well"), "what there was of it is kept"
    if again:
        assert move == Speech(text="So.")
    else:
        assert (
            isinstance(move, UnreadableAnswer) and move.final and "even when told why: the thinking took" in str(move)
        )


def test_a_speech_that_was_cut_behind_its_thinking_is_kept() -> None:
    heard: list[Any] = []
    move, _, notes = given_by(
        completion('{"thinking": "Hm.", "kind": "speech", "text": "Nine ships w', "length"), heard=heard
    )
    assert move == Speech(text="Nine ships w") and notes[-1]["cut"] and heard[0]["text"] == "Hm."


def test_a_grammar_holds_the_thinking_to_a_length_and_never_to_one_that_it_cannot_have() -> None:
    for tokens, most in ((10, 20), (5000, 1999)):
        form = Form((Speech,), length=100, thinking=tokens)
        assert form.schema(Speech)["properties"].keys() == {"kind", "text"}
        assert form.response_format()["json_schema"]["schema"]["properties"]["thinking"]["maxLength"] == most


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"thinking": 0}, "thinking is 0"), ({"thinking": True}, "thinking is True"), ({"thinking": "many"}, "thinking is"),
        ({"thinking": 50, "max_tokens": 40, "max_tokens_limit": 60}, "at least max_tokens and thinking together"),
        ({"record": "everything"}, "'answers' or 'prompts'"),
    ],
)  # fmt: skip
def test_options_that_cannot_be(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        LM("m", base_url="http://127.0.0.1:1/v1", **options)


def test_what_answers_can_take_counts_the_thinking() -> None:
    kind = OpenAIKind(
        model="m", base_url="http://127.0.0.1:1/v1", max_tokens=100, thinking=300, record="prompts", profile=None
    )
    assert kind.profile().answer == 400 and kind.make().thinking == 300 and kind.make().record == "prompts"
    assert (
        kind.make().identity()["thinking"] == 300
        and "thinking" not in LM("m", base_url="http://h/v1", api_key="k").identity()
    )


@settings(max_examples=60, deadline=None)
@given(
    st.text(max_size=60),
    st.sampled_from([Speech(text="So."), Verdict(probabilities=(0.25, 0.75)), Answer(choice=1, text="x")]),
)
def test_whatever_is_thought_the_move_is_the_same(thought: str, move: Move) -> None:
    request, note = request_for(type(move)), dict[str, Any]()
    form = Form.of(request, thinking=50)
    if not parted(json.dumps(thought)).unclosed and parted(json.dumps(thought)).answer == json.dumps(thought):
        assert read_move(written(move, form, thought), request, form=form, note=note) == move
        assert note.get("thoughts", "") == (thought.encode("utf-8", "replace").decode() if thought else "")


@pytest.mark.parametrize("profile", ["openai-reasoning", "anthropic", "llamacpp"])
def test_over_real_sockets_strict_endpoints_take_the_form(profile: str) -> None:
    mock = MockOpenAI(profile=profile, api_key="k")
    with mock.serve() as url:
        model = LM(
            "mock", base_url=url, api_key="k", thinking=30, max_tokens=400, max_tokens_limit=4000, record="prompts"
        )
        play = moot.run(moot.Debate(rounds=1), moot.Question("Who?", ("x", "y")), {"debater": model, "judge": model})
    events = list(play.events())
    assert isinstance(play.outcome, moot.Decided)
    assert {event["step"] for event in events if event["event"] == "thought"} == {"0.0.0", "0.1.0", "1"}
    assert {event["step"] for event in events if event["event"] == "prompted"} == {"0.0.0", "0.1.0", "1"}
    asked = [call.body.get("max_tokens", call.body.get("max_completion_tokens")) for call in mock.calls]
    assert asked[0] == 430


def test_a_model_that_thinks_of_its_own_accord_past_the_cap_is_given_up_with_a_reason() -> None:
    silent = completion("", "length", {"prompt_tokens": 100, "completion_tokens": 130}, reasoning_content="well " * 30)
    heard: list[Any] = []
    move, bodies, _ = given_by(silent, silent, heard=heard)
    assert isinstance(move, UnreadableAnswer) and len(bodies) == 1 and heard[0]["event"] == "thought"
    assert "for all of the 130 tokens of max_tokens and thinking" in str(move) and "max_tokens_limit" in str(move)
    right = completion('{"kind": "speech", "text": "So."}')
    move, bodies, _ = given_by(silent, right, max_tokens_limit=300)
    assert move == Speech(text="So.") and [body["max_tokens"] for body in bodies] == [130, 260]


# -- over the whole catalogue ----------------------------------------------------------------------------------------------

CANARY = "canarythoughtat"
_said: ContextVar[dict[str, Any]] = ContextVar("said")


def written(move: Move, form: Form, thought: str, tagged: bool = False) -> str:
    """A move as a model writes it, with a thought in the place for it."""
    data = move.model_dump(mode="json")
    for name, hint in type(move).fields_asked(form.brief).items():
        if hint.choices == "shares" and form.choices:
            data[name] = {str(i): share for i, share in enumerate(data[name], 1)}
        elif hint.choices == "number" and data[name] is not None:
            data[name] += 1
    asked = {"kind": data["kind"], **{name: data[name] for name in type(move).fields_asked(form.brief)}}
    tag = tag_of(kind_name(type(move)))
    if tagged:
        inner = data[type(move).bare_field] if form.alone(type(move)) else json.dumps(asked)
        return f"<{form.scratch}>{thought}</{form.scratch}><{tag}>{inner}</{tag}>"
    return json.dumps({form.scratch: thought, **(asked if len(form.kinds) == 1 else {"move": asked})})


class Thinker:
    """A model that plays what a puppet would, and thinks aloud in each place where a model may."""

    def __init__(self, structured: Any) -> None:
        self.tagged, self.seen = structured == "tags", list[tuple[str, str, str]]()
        transport = httpx2.MockTransport(self._answer)
        self.lm = LM("m", base_url="http://here/v1", api_key="k", structured=structured, thinking=50, retries=0, max_tokens=4000,
                     record="prompts", http_client=httpx2.AsyncClient(transport=transport))  # fmt: skip

    def _answer(self, http: httpx2.Request) -> httpx2.Response:
        self.seen.append((*_said.get()["place"], http.content.decode()))
        return httpx2.Response(200, json=_said.get()["answer"])

    async def act(self, request: moot.Request) -> Move:
        thought, form = f"{CANARY} {request.seat} {request.step}", self.lm.form(request)
        self.seen.append(
            (request.seat, request.step, "".join(_parts(request).values()) + json.dumps(request.rejected, default=str))
        )
        text = written(puppet(request), form, f"{thought} field", self.tagged)
        answer = completion(f"<think>{thought} mark</think>{text}", reasoning_content=f"{thought} native")
        _said.set({"place": (request.seat, request.step), "answer": answer})
        return await self.lm.act(request)


@pytest.mark.parametrize("name", OURS)
def test_no_thought_reaches_another_seat_nor_a_move(name: str) -> None:
    protocol, question = OURS[name], question_for(name)
    thinker = Thinker("tags" if len(name) % 4 == 0 else "schema")
    play = moot.run(protocol, question, dict.fromkeys(protocol.roles(question), thinker), seed=7)
    for seat, step, text in thinker.seen:
        assert CANARY not in text, f"{seat} at {step} is shown a thought"
    events = list(play.events())
    thought = [event for event in events if event["event"] == "thought"]
    assert len(thought) == sum(event["event"] == "attempted" for event in events) > 0
    assert all(each in event["text"] for event in thought for each in ("field", "mark", "native"))
    for event in events:
        if event["event"] not in ("thought", "answered"):
            assert CANARY not in json.dumps(event, ensure_ascii=False), event


def test_thinking_that_took_all_the_room_is_charged_to_the_seat_and_its_bound_holds() -> None:
    cut = completion('{"thinking": "well', "length", {"prompt_tokens": 100, "completion_tokens": 130})
    right = json.dumps({"thinking": "no", "kind": "verdict", "text": "So.", "probabilities": {"1": 0.5, "2": 0.5}})
    mock = Mock(lambda body, i: cut if i % 2 == 0 else right)
    question = moot.Question("Who?", ("x", "y"), size=10)
    play = moot.run(moot.DirectQA(), question, {"judge": moot.Bounded(lm(mock), tokens="10000")})
    spent = play.ledger.seats["judge"]
    assert isinstance(play.outcome, moot.Decided) and (spent.prompt_tokens, spent.completion_tokens) == (200, 150)
    short = moot.run(moot.DirectQA(), question, {"judge": moot.Bounded(lm(mock), tokens="100")})
    assert isinstance(short.outcome, moot.Exhausted) and len(mock.bodies) == 2, (
        "nothing is sent that could cross the bound"
    )
