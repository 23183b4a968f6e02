"""Moves describe themselves: their kinds are unique, and a plug-in's are shown as well as moot's own."""

from __future__ import annotations

import importlib.util
import json
import sys
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from agent_kit import built_in_kinds, log_of, request_for
from hypothesis import given, settings
from hypothesis import strategies as st
from test_human import typed

import moot
from moot.agents.prompts.elements import statement
from moot.agents.prompts.forms import Form
from moot.agents.prompts.variables import kind_name
from moot.protocols.engine.errors import BudgetExceeded, ProtocolError
from moot.protocols.engine.moves import Move, move_class
from moot.protocols.engine.view import Log
from moot.protocols.recorded import recorded_move, words_of
from moot.testing.drawing import Drawn
from moot.testing.schemas import build
from moot.testing.shapes import schema_of
from moot.transcripts.display.claims import citation_graph
from moot.transcripts.display.notebook import as_html
from moot.transcripts.display.show import as_text
from moot.transcripts.exporters.dot import Dot
from moot.transcripts.exporters.graphml import GraphML
from moot.transcripts.exporters.json_tree import Json
from moot.transcripts.exporters.mermaid import Mermaid

QUESTION = moot.Question("Who sank it?", ("a storm", "the admiral"))


# -- kinds -------------------------------------------------------------------------------------------------------------


def test_a_kind_belongs_to_one_class_and_both_are_named() -> None:
    with pytest.raises(ProtocolError, match=r"kind 'speech': Speech \(.*moves\.py\) and .*Mine \(.*test_moves\.py\)"):

        class Mine(Move):
            kind: Literal["speech"] = "speech"

    with pytest.raises(ProtocolError, match="two classes of moves have the kind 'speech'"):

        class Louder(moot.Speech):
            """A kind of its own is needed here too."""

    assert move_class("speech") is moot.Speech


@pytest.mark.parametrize("annotation", ["str", 'Literal["x", "y"]', 'Literal["y"]', 'Literal["x"] | None', "Any"])
def test_a_kind_of_another_form_is_refused(annotation: str) -> None:
    source = f"class Odd(Move):\n    kind: {annotation} = 'x'"
    with pytest.raises(ProtocolError, match="Odd .*a move needs a kind of this form"):
        exec(source, {"Move": Move, "Literal": Literal, "Any": Any, "__name__": __name__})


def test_a_kind_that_is_only_derived_from_says_so() -> None:
    with pytest.raises(ProtocolError, match="needs a kind"):

        class Named(Move):
            text: str

    class Base(Move, abstract=True):
        text: str

    class Derived(Base):
        kind: Literal["derived"] = "derived"

    assert move_class("derived") is Derived


def test_a_class_that_is_defined_again_takes_its_own_place() -> None:
    def cell() -> type[Move]:
        class Again(Move):
            kind: Literal["defined-again"] = "defined-again"

        return Again

    first, second = cell(), cell()
    assert first is not second and move_class("defined-again") is second


def test_a_file_that_is_imported_under_two_names_defines_one_kind(tmp_path: Path) -> None:
    file = tmp_path / "twice.py"
    file.write_text(
        'import moot\nfrom typing import Literal\nclass Twice(moot.Move):\n    kind: Literal["twice"] = "twice"\n'
    )
    made = []
    for name in ("twice_one", "twice_two"):
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        made.append(sys.modules.pop(name))
    assert move_class("twice") is made[-1].Twice


@pytest.mark.filterwarnings("ignore:Field name")
def test_fields_that_cannot_be() -> None:
    with pytest.raises(ProtocolError, match="a field may not be called 'in_words'"):

        class Shadow(Move):
            kind: Literal["shadow"] = "shadow"
            in_words: str  # type: ignore[assignment]

    for fields in ({"scratch": (str, ...)}, {}):
        with pytest.raises(ProtocolError, match="private field 'scratch' must be a field with a default"):
            type("Hiding", (Move,), {
                "__annotations__": {"kind": Literal["hiding"], **{name: kind for name, (kind, _) in fields.items()}},
                "kind": "hiding", "private_fields": ("scratch",), "__module__": __name__,
            })  # fmt: skip


# -- every kind of moot's own ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", built_in_kinds(), ids=kind_name)
@settings(max_examples=20, deadline=None)
@given(st.data())
def test_every_kind_is_shown_and_asked_for(kind: type[Move], data: st.DataObject) -> None:
    draw: Any = data.draw
    made = build(schema_of(kind), Drawn(draw))
    if "probabilities" in made:
        made["probabilities"] = [0.25, 0.75]
    move = kind.model_validate({**made, "kind": kind_name(kind)})
    element = ET.fromstring(statement(moot.Entry("0.1", "a", move)))
    assert (element.get("by"), element.get("step")) == ("a", "0.1")
    assert kind is moot.Speech or element.get("kind") == kind_name(kind)
    assert recorded_move(json.loads(move.model_dump_json())) == move.as_public()
    assert words_of(json.loads(move.model_dump_json())) == move.in_words()
    asked = list(kind.fields_asked({}))
    form = Form((kind,), 2)
    assert list(form.schema(kind)["properties"]) == ["kind", *asked] and not set(asked) & {"kind", *kind.filled}
    assert all(f'"{name}" is ' in form.told(False) for name in asked)


# -- a plug-in ---------------------------------------------------------------------------------------------------------

PLUGIN = '''
from typing import Annotated, ClassVar, Literal

import moot


class Offer(moot.Move):
    """What a bidder gives for the wreck. More of it."""

    argues: ClassVar[bool] = True
    private_fields: ClassVar[tuple[str, ...]] = ("scratch",)
    kind: Literal["plugin-offer"] = "plugin-offer"
    scratch: str = ""
    ship: str
    amount: int
    firm: bool = False


class Survey(moot.Move):
    """A claim about the wreck with what it rests on."""

    argues: ClassVar[bool] = True
    kind: Literal["plugin-survey"] = "plugin-survey"
    finding: Annotated[str, moot.Asked("what you found", "Your finding")]
    odds: Annotated[tuple[float, ...], moot.Asked(choices="shares")]
    best: Annotated[int, moot.Asked(person="The likeliest", choices="number")]
    source: Annotated[str | None, moot.Asked(among="to_seats", none="nobody")] = None
    rests_on: tuple[str, ...] = ()
    part: str = ""

    def content(self):
        return self.finding

    def in_words(self):
        return f"found: {self.finding}"

    def in_short(self, choices):
        return f"points to {choices[self.best]}"

    def stated_probabilities(self):
        return self.odds

    def prompt_attributes(self):
        return {"kind": self.kind, "best": str(self.best + 1), "by": "forged"}

    def prompt_body(self):
        return ["It is ", moot.Part(self.finding, "finding", True, (("hull", '"<3"'),))]

    def questions_asked(self):
        return (None, [self.part]) if self.part else (None, ())

    def question_answered(self):
        return (self.part, self.finding) if self.part else None

    def steps_cited(self):
        return self.rests_on


class Salvage(moot.Protocol):
    def roles(self, question):
        return {"a": "bidder", "b": "surveyor", "judge": "judge"}

    async def play(self, floor, question):
        await floor.ask("a", Offer, view=floor.said())
        under = floor.step
        await floor.ask("b", Survey, view=floor.said(), under=under, to_seats=["a", "judge"])
        return moot.Decided(await floor.ask("judge", moot.Verdict, view=floor.said()))
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A protocol with moves of its own, in a module that moot knows nothing of."""
    folder = tmp_path_factory.mktemp("plugin")
    (folder / "salvage_plugin.py").write_text(textwrap.dedent(PLUGIN))
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("salvage_plugin")
    finally:
        sys.path.remove(str(folder))
        sys.modules.pop("salvage_plugin")


def moves_of(plugin: Any) -> tuple[Move, Move]:
    offer = plugin.Offer(scratch="SECRET", ship="Vasa", amount=7, firm=True)
    survey = plugin.Survey(finding="a <hole>", odds=(0.25, 0.75), best=1, rests_on=("0",), part="Is there a hole?")
    return offer, survey


@pytest.fixture(scope="module")
def play(plugin: Any) -> tuple[moot.Transcript, list[moot.Request]]:
    offer, survey = moves_of(plugin)
    asked: list[moot.Request] = []

    def judge(request: moot.Request) -> moot.Move:
        asked.append(request)
        return moot.Verdict(probabilities=(0.25, 0.75))

    return moot.run(plugin.Salvage(), QUESTION, {"a": lambda r: offer, "b": lambda r: survey, "judge": judge}), asked


def test_a_plugins_moves_in_a_prompt(play: tuple[moot.Transcript, list[moot.Request]]) -> None:
    record = moot.prompt_for(play[1][0]).record
    offer, survey = ET.fromstring(f"<r>{record}</r>").findall("statement")
    assert offer.attrib == {"by": "a", "step": "0", "kind": "plugin-offer"}
    assert json.loads(offer.text or "") == {"ship": "Vasa", "amount": 7, "firm": True}
    assert survey.attrib == {"by": "b", "step": "1", "kind": "plugin-survey", "best": "2"} and survey.text == "It is "
    assert survey[0].tag == "finding" and survey[0].attrib == {"hull": '"<3"', "verified": "yes"}
    assert survey[0].text == "a <hole>"


def test_a_plugins_moves_in_a_transcript_and_a_tree(play: tuple[moot.Transcript, list[moot.Request]]) -> None:
    transcript = play[0]
    text, html = as_text(transcript), as_html(transcript)
    for shown in (text, html):
        assert "ship Vasa, amount 7, firm yes" in shown and "points to the admiral" in shown and "75 %" in shown
    assert "found: a <hole>" in text and "found: a &lt;hole&gt;" in html
    bars = text[text.index("plugin-survey") : text.index("judge · verdict")]
    assert "a storm" in bars and "25 %" in bars, "its probabilities are drawn like those of a verdict"
    tree = transcript.tree
    assert tree.nodes["0"]["text"] == "ship Vasa, amount 7, firm yes" and tree.nodes["1"]["text"] == "found: a <hole>"
    exports = [made().tree(tree) for made in (Json, Dot, Mermaid, GraphML)]
    for exported in (*exports, str(tree), tree._repr_html_()):
        assert "Vasa" in exported and "SECRET" not in exported


def test_what_a_plugins_moves_ask_and_cite_is_counted(play: tuple[moot.Transcript, list[moot.Request]]) -> None:
    questions = play[0].ledger.questions
    assert questions is not None and (questions.unique, questions.edges, questions.depth) == (2, 1, 1)
    assert list(citation_graph(play[0]).edges) == [("1", "0")]


def test_what_is_private_is_recorded_and_shown_to_nobody(
    play: tuple[moot.Transcript, list[moot.Request]], plugin: Any
) -> None:
    transcript, (request,) = play
    recorded = [line for line in transcript.lines() if b"SECRET" in line]
    assert len(recorded) == 1 and b'"moved"' in recorded[0] and moot.replay(transcript).digest == transcript.digest
    assert request.view[0].move == plugin.Offer(ship="Vasa", amount=7, firm=True)
    offer, _ = moves_of(plugin)
    assert next(transcript.steps()).size == len(offer.as_public().content()) == len(offer.content())
    entry = moot.Entry("0", "a", offer)
    for shown in (statement(entry), str(Log(None, None).then(entry).read()), as_text(transcript), as_html(transcript)):
        assert "Vasa" in shown and "SECRET" not in shown
    assert "SECRET" not in typed(["x", "."], moot.Speech, log=log_of(("a", offer)))[1]
    assert "scratch" in plugin.Offer.fields_asked({}), "its own seat is asked for it"


def test_a_person_is_shown_and_asked_for_a_plugins_moves(plugin: Any) -> None:
    offer, survey = moves_of(plugin)
    log = log_of(("a", offer), ("b", survey))
    move, shown = typed(["hm", ".", "Vasa", ".", "7", "no"], plugin.Offer, log=log)
    assert move == plugin.Offer(scratch="hm", ship="Vasa", amount=7)
    assert "What a bidder gives for the wreck. More of it." in shown
    assert "[0.0] a: ship Vasa, amount 7, firm yes" in shown
    assert "[0.1] b: (points to the admiral) 25% / 75% found: a <hole>" in shown
    lines = ["a hole", ".", "30", "70", "3", "2", "a", "0", ".", "."]
    move, shown = typed(lines, plugin.Survey, to_seats=["a", "judge"])
    assert move == plugin.Survey(finding="a hole", odds=(0.3, 0.7), best=1, source="a", rests_on=("0",))
    for part in ("Your finding.", "How probable is 1. a storm", "The likeliest (1 to 2): ", "empty for nobody"):
        assert part in shown


@pytest.mark.parametrize("tagged", [True, False])
def test_a_model_is_asked_for_a_plugins_move(plugin: Any, tagged: bool) -> None:
    request = request_for(plugin.Survey, to_seats=["a", "judge"])
    told = moot.prompt_for(request, tagged=tagged).task
    assert "what you found" in told and "1 to 2" in told and "a or judge, or null for nobody" in told
    text = (
        "<plugin_survey><finding>x</finding><odds>20%, 80%</odds><best>2</best><source>null</source></plugin_survey>"
        if tagged
        else '{"finding": "x", "odds": {"1": 0.2, "2": 0.8}, "best": 2, "source": "nobody", "mood": "good"}'
    )
    note: dict[str, Any] = {}
    move = moot.read_move(text, request, tagged=tagged, note=note)
    assert move == plugin.Survey(finding="x", odds=(0.2, 0.8), best=1) and note.get("dropped") == (
        None if tagged else ["mood"]
    )
    fields = moot.response_format(request)["json_schema"]["schema"]["properties"]
    assert fields["best"] == {"type": "integer", "enum": [1, 2]}
    assert fields["source"] == {"anyOf": [{"type": "string", "enum": ["a", "judge"]}, {"type": "null"}]}
    with pytest.raises(moot.UnreadableAnswer, match="finding is empty"):
        moot.read_move('{"finding": " ", "odds": [1, 0], "best": 1}', request)
    with pytest.raises(moot.UnreadableAnswer, match="best is 3; it must be a number from 1 to 2"):
        moot.read_move('{"finding": "x", "odds": [1, 0], "best": 3}', request)


def test_a_move_of_a_class_that_is_not_here_is_shown_field_by_field() -> None:
    lost = {
        "kind": "lost",
        "text": "So it is.",
        "sure": True,
        "parts": [{"question": "q", "answer": None}],
        "none": None,
    }
    assert words_of(lost) == "So it is.\n(sure yes, parts question q)"
    assert words_of({"kind": "verdict", "text": "not one", "probabilities": []}) == "not one"
    assert words_of({"kind": "x"}) == "" and recorded_move("speech") is None


# -- whoever has another client ----------------------------------------------------------------------------------------


class Client:
    """A provider's client that is none of moot's: it takes messages and a schema, and gives what it is told to."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.calls = list(answers), list[tuple[list[dict[str, str]], Any]]()

    def chat(self, messages: list[dict[str, str]], schema: Any = None) -> str:
        self.calls.append((messages, schema))
        return self.answers.pop(0)


@pytest.mark.parametrize("tagged", [True, False])
def test_a_foreign_client_plays_without_lm(tagged: bool) -> None:
    speech = "<speech>It was.</speech>" if tagged else '{"kind": "speech", "text": "It was."}'
    verdict = (
        "<verdict><text>so</text><probabilities>75, 25</probabilities></verdict>"
        if tagged
        else '{"text": "so", "probabilities": {"1": 75, "2": 25}}'
    )
    client = Client("I would rather not.", speech, "", speech, verdict)

    def agent(request: moot.Request) -> moot.Move:
        messages = moot.prompt_for(request, tagged=tagged).messages()
        schema = None if tagged else moot.response_format(request)["json_schema"]["schema"]
        try:
            return moot.read_move(client.chat(messages, schema), request, tagged=tagged)
        except moot.UnreadableAnswer as error:
            again = moot.repair_messages(messages, error, request, tagged=tagged)
            return moot.read_move(client.chat(again, schema), request, tagged=tagged)

    transcript = moot.run(moot.Debate(rounds=1), QUESTION, dict.fromkeys("ab", agent) | {"judge": agent})
    assert isinstance(transcript.outcome, moot.Decided) and not client.answers
    assert transcript.outcome.verdict.probabilities == (0.75, 0.25)
    (first, schema), (second, _), (third, _), (fourth, _), (last, _) = client.calls
    assert second[:2] == first and second[2] == {"role": "assistant", "content": "I would rather not."}
    assert "could not be read" in second[3]["content"] and "speech" in second[3]["content"]
    assert len(fourth) == len(third) == 2 and "the answer is empty" in fourth[1]["content"], "no two users in a row"
    assert tagged or schema["required"] == ["kind", "text"]
    assert last[1]["content"].count("It was.") == 2


def test_reading_a_view_for_a_prompt_is_charged() -> None:
    def left(measure: str, amount: int) -> None:
        if amount > 4:
            raise BudgetExceeded(measure, amount, 4)

    with pytest.raises(BudgetExceeded):
        moot.prompt_for(request_for(moot.Verdict, log=log_of(("a", moot.Speech(text="hello"))), left=left))


# -- who may know what -------------------------------------------------------------------------------------------------

KNOW_NO_KIND = (
    "agents.prompts.render", "agents.prompts.forms", "agents.prompts.asking", "agents.prompts.schemas",
    "agents.prompts.values", "agents.people.human", "agents.people.terminal", "agents.models.lm", "complexity.ledger",
    "transcripts.tree", "transcripts.exporters.document", "transcripts.exporters.drawing", "transcripts.display.scenes",
    "transcripts.display.show", "transcripts.display.notebook", "transcripts.display.words",
    "transcripts.display.claims",
)  # fmt: skip
FAMILIES = tuple(f"protocols.{name}" for name in ("amplification", "market", "debate", "trees", "games"))


def test_what_shows_and_asks_for_moves_imports_no_family_and_no_kind() -> None:
    spec = importlib.util.spec_from_file_location("parts", Path(__file__).resolve().parents[1] / ".ci" / "parts.py")
    assert spec is not None and spec.loader is not None
    parts = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(parts)
    root = parts.package()
    files, imported = parts.modules(root), parts.edges(root)
    names = {kind.__name__ for kind in built_in_kinds()}
    for module in KNOW_NO_KIND:
        assert not [target for target, _ in imported[module] if target.startswith(FAMILIES)], module
        source = files[module].read_text("utf-8")
        lines = [line for line in source.splitlines() if "import" in line and "engine.moves" in line]
        assert not [line for line in lines if names & set(line.replace(",", " ").split())], (module, lines)
    assert not [target for target, _ in imported["agents.prompts.asking"] if target.startswith("agents.models")]


def test_what_is_said_of_a_class_is_its_own() -> None:
    class Silent(Move):
        argues: ClassVar[bool] = True
        kind: Literal["silent"] = "silent"

    move = Silent()
    assert (move.in_words(), move.in_short(()), move.stated_probabilities()) == ("", "", ())
    assert (move.questions_asked(), move.question_answered(), move.steps_cited()) == ((None, ()), None, ())
    assert move.prompt_attributes() == {"kind": "silent"} and move.prompt_body() == move.content() == "{}"
    assert Silent.fields_asked({}) == {} and move.as_public() is move
