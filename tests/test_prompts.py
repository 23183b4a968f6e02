"""What every seat of every protocol is told: its role and goal, who sees what, what may be given; in no other protocol's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import anyio
import httpx2
import pytest
from catalogue_kit import OURS, question_for

import moot
from moot.agents.prompts import Templates
from moot.agents.prompts.asking import prompt_for
from moot.agents.prompts.variables import kind_name
from moot.protocols.amplification.approval import Approval
from moot.protocols.engine.base import Protocol, known_protocols
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.floor import Floor
from moot.protocols.engine.moves import Asked, Move, Speech, Verdict
from moot.protocols.engine.question import Question
from moot.protocols.engine.request import Request
from moot.protocols.text import escape
from moot.testing import prompts
from moot.testing.golden import puppet
from moot.testing.prompts import TEXTS, Turn, as_text, turns_of

HERE = Path(__file__).parent / "golden" / "prompts"
SHIPPED = sorted(name for name, made in known_protocols().items() if made.__module__.startswith("moot.protocols."))
CASES = [*SHIPPED, *(f"{name} *" for name in OURS)]


@cache
def met(case: str) -> tuple[Protocol, tuple[Turn, ...]]:
    """Each kind of turn of a protocol as it is, or of one with its parameters changed."""
    if case in SHIPPED:
        protocol = known_protocols()[case]()
        return protocol, tuple(turns_of(protocol))
    name = case.removesuffix(" *")
    return OURS[name], tuple(turns_of(OURS[name], question_for(name)))


@pytest.mark.parametrize("case", CASES)
def test_every_seat_has_words_of_its_own_protocol(case: str) -> None:
    protocol, turns = met(case)
    lineage = {name for cls in type(protocol).__mro__ if (name := getattr(cls, "name", ""))}
    for turn in turns:
        for file in turn.prompt.files:
            assert file.partition("/")[0] in _asking(protocol, lineage), f"{turn.name} is asked in the words of {file}"


def _asking(protocol: Protocol, lineage: set[str]) -> set[str]:
    """The protocols that ask in a play of this one: itself and those inside it."""
    inside = {"side-swapped": {"debate", "double-consultancy"}, "fresh-debate": {"debate"}}
    return lineage | inside.get(protocol.name, set())


def shortfalls(turn: Turn) -> list[str]:
    """What the words of a turn leave out. What every prompt says of the record, and of its own form, does not count."""
    system = turn.prompt.system.partition("What you read next is a record.")[0]
    asked = turn.prompt.task
    found = [] if re.search(rf"\b{re.escape(turn.role)}\b", system, re.IGNORECASE) else ["role"]
    if any(f"<{what}" in turn.prompt.record + asked for what in ("passage", "data", "image", "source")):
        found += [] if re.search(r"\b(sees?|look|looks|shown|shows)\b", system) else ["who sees what"]
    goal = r"\b(paid|pay|pays|score[sd]?|win|wins|won|loses?|payment|reward)\b"
    found += [] if re.search(goal, system) else ["goal"]
    for kind in turn.kinds:
        named = kind.replace("-", " ") in asked.replace("-", " ").lower() or f'"{kind}"' in asked
        found += [] if named else [f"the move {kind}"]
    return found + ([] if len(system.split()) > 60 else ["more than a few words"]) + (["$"] if "$" in system else [])


@pytest.mark.parametrize("case", CASES)
def test_it_says_role_goal_sight_and_legal_moves(case: str) -> None:
    _, turns = met(case)
    assert {turn.name: missing for turn in turns if (missing := shortfalls(turn))} == {}


def test_words_for_everybody_fall_short() -> None:
    first, _ = turns_of(Checked())
    assert {"goal", "more than a few words"} <= set(shortfalls(first))
    bare = replace(
        first, prompt=replace(first.prompt, system="You take part.", record="<passage>x</passage>", task="Go.")
    )
    assert set(shortfalls(bare)) == {"role", "who sees what", "goal", "the move own-query", "more than a few words"}


SIDED = ("debate", "consultancy", "bisection", "recursive-debate", "tree-debate", "qbf-debate")


@pytest.mark.parametrize(
    "case", [case for case in CASES if (OURS.get(case[:-2]) or known_protocols()[case]()).name in SIDED]
)
def test_players_who_defend_an_answer_are_told_which(case: str) -> None:
    _, turns = met(case)
    told = [turn for turn in turns if turn.role in ("debater", "consultant") and "answer" not in turn.kinds]
    for turn in told:
        assert re.search(r"You defend answer \d", turn.prompt.task + turn.prompt.system), turn.name


@pytest.mark.parametrize("case", [*SHIPPED, "queries *"])
def test_golden_prompts(case: str, update_golden: bool) -> None:
    protocol, turns = met(case)
    path, text = HERE / f"{case.removesuffix(' *')}.md", as_text(protocol, list(turns))
    if update_golden:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    assert path.exists(), f"there is no {path.name}; read the prompts, and keep them: pytest --update-golden"
    assert path.read_text("utf-8") == text, (
        f"the prompts of {case} have changed: read them, then pytest --update-golden"
    )


@pytest.mark.parametrize("case", SHIPPED)
def test_what_is_shown_is_the_protocol_as_it_was_given(case: str) -> None:
    protocol, turns = met(case)
    if case not in (
        "debate",
        "consultancy",
        "double-consultancy",
        "propaganda",
        "critique",
        "recursive-debate",
        "amplify",
    ):
        return
    told = "\n".join(turn.prompt.system + turn.prompt.task for turn in turns)
    assert "Say at most" not in told, "a limit of a task's programs is shown as the protocol's"
    if isinstance(protocol, moot.RecursiveDebate):
        assert f"you may make {protocol.objections}." in told and f"After {protocol.depth} main objections" in told
    if isinstance(protocol, moot.Amplification):
        assert f"At most {protocol.width} questions" in told and f"go {protocol.depth} deep" in told


@pytest.mark.parametrize("protocol", [
    moot.Debate(rounds=2, questions=True), moot.Debate(rounds=3, repeat=(moot.Speeches(), moot.Negotiate())),
    moot.Critique(answer=None, reply=True), Approval(seen=False, source="none"),
])  # fmt: skip
def test_what_a_tasks_programs_cannot_play_is_shown_all_the_same(protocol: Protocol) -> None:
    assert len({turn.role for turn in turns_of(protocol)}) == len(set(protocol.roles(TEXTS).values()))


def prompt_texts(protocol: Protocol) -> str:
    return "\n".join(turn.prompt.system + turn.prompt.task for turn in turns_of(protocol))


@pytest.mark.parametrize(("protocol", "said", "unsaid"), [
    (moot.MarketMaking(), "Quotes are compared with the passage", "examine"),
    (moot.MarketMaking(examine=True, check_quotes=False), "Nobody compares quotes", "Quotes are compared"),
    (moot.RecursiveDebate(check_quotes=False), "Nobody compares quotes", "Quotes are compared"),
    (moot.PointerMarketMaking(), "where details stand above", 'market. Details'),
    (moot.Amplification(memo=False), "Each question is answered anew", "answered once"),
    (moot.Amplification(depth=2), "deep at most", "in a circle"),
    (moot.Amplification(source="all"), "do what your own step needs", "look at little"),
    (moot.DeterministicDoublyEfficientDebate(), "examine no more", "At most 0"),
    (moot.ClueOversight(), "SAND rather than GULL", '"closer"'),
    (moot.ProverEstimator(source="metered"), "a, b and judge may look at single places of the passage, and pay for every look", "judge may look at single places of the passage, and pays"),
    (moot.DoubleConsultancy(judged="apart"), "without being shown a word of the others", "without knowing of the others"),
    (Approval(frozen=False), "With a question nothing else is shown", "knows neither the claim"),
])  # fmt: skip
def test_no_sentence_is_false_for_the_parameters(protocol: Protocol, said: str, unsaid: str) -> None:
    told = prompt_texts(protocol)
    assert said in told and unsaid not in told


def test_no_two_protocols_share_a_folder_or_a_name() -> None:
    shipped = Path(moot.__file__).parent / "agents" / "prompts" / "v2"
    folders = {path.name for path in shipped.iterdir() if path.is_dir()} - {"parts", "judging", "drafting"}
    assert folders <= {getattr(cls, "name", "") for made in known_protocols().values() for cls in made.__mro__}  # fmt: skip
    outside = {path.stem for path in shipped.glob("*.txt")}
    assert outside == {"record", "repair", "system", "tail", "turn"}, "a template outside of folders is everybody's"


# -- protocols and templates of others -------------------------------------------------------------------------------


class Query(Move):
    """A yes-or-no question about one sentence of the report."""

    kind: Literal["own-query"] = "own-query"
    text: Annotated[str, Asked("the question")]


class Checked(Protocol):
    """A checker puts questions, and a judge decides."""

    name: ClassVar[str] = "checked-for-tests"
    players: ClassVar[tuple[str, ...]] = ("checker", "judge")
    task: str = "query"

    def roles(self, question: Question) -> dict[str, str]:
        return {"checker": "checker", "judge": "judge"}

    async def play(self, floor: Floor, question: Question) -> moot.Decided:
        await floor.ask("checker", Query, task=self.task)
        return moot.Decided(await floor.ask("judge", Verdict, task="verdict"), step=floor.step)


@pytest.mark.parametrize("task", ["query", "check", "claim", "oversee", "critique", "refine", "verdict", "amplify"])
def test_a_task_of_ones_own_gets_its_own_words(task: str) -> None:
    first = turns_of(Checked(task=task))[0]
    assert first.prompt.files == ("system", "turn")
    assert "A yes-or-no question about one sentence of the report." in first.prompt.task
    assert "A checker puts questions, and a judge decides." in first.prompt.system


def test_a_protocol_brings_its_own_templates(tmp_path: Path) -> None:
    (tmp_path / "checker.query.txt").write_text("Ask about the report, $seat.")
    (tmp_path / "any.system.txt").write_text("You are $role of $protocol. $part_mine")
    (tmp_path / "parts").mkdir()

    class Plugged(Checked):
        name: ClassVar[str] = "plugged-for-tests"
        prompts: ClassVar[Path] = tmp_path

    with pytest.raises(UsageError, match="none of plugged-for-tests/parts/mine.txt, .*, parts/mine.txt"):
        turns_of(Plugged())
    (tmp_path / "parts" / "mine.txt").write_text("$case_task")
    (tmp_path / "parts" / "task.query.txt").write_text("You may query.")
    from moot.agents.prompts import templates

    templates._plugged.cache_clear()
    checker, judge = turns_of(Plugged())
    assert checker.prompt.task.startswith("<turn>\nAsk about the report, checker.\n")
    assert checker.prompt.system.startswith(
        "You are checker of plugged-for-tests. You may query.\n\nWhat you read next"
    )
    assert judge.prompt.files == ("plugged-for-tests/any.system", "turn")


def test_a_users_file_goes_before_all_others(tmp_path: Path) -> None:
    (tmp_path / "debate").mkdir()
    (tmp_path / "debate" / "judge.verdict.txt").write_text("Decide. $all_sides")
    (tmp_path / "any.speech.last.txt").write_text("Your last word, against $rivals")
    turns = {turn.name: turn.prompt for turn in turns_of(moot.Debate(), TEXTS, templates=Templates(tmp_path))}
    assert (
        "Decide. a defends answer 1: a storm. b defends answer 2: the admiral." in turns["judge (judge), verdict"].task
    )
    last = turns["b (debater), speech, last"]
    assert last.files[1] == "any.speech.last" and "against a defends answer 1: a storm." in last.task
    other = {turn.name: turn.prompt for turn in turns_of(moot.Critique(), TEXTS, templates=Templates(tmp_path))}
    assert other["judge (judge), verdict"].files[1] == "critique/judge.verdict"


@pytest.mark.parametrize(("name", "text", "said"), [
    ("judge.verdict.txt", "You are $sead.", r"judge.verdict.txt uses \$sead; did you mean 'seat'\?"),
    ("judge.system.txt", "Round: $round", r"uses \$round, which changes from turn to turn"),
    ("debate/judge.verdict.txt", "$ 5", r"a \$ that starts no name"),
    ("judge.verdict.txt", "x" * 100_001, "100,001 characters"),
])  # fmt: skip
def test_a_template_that_cannot_be_used_says_why(tmp_path: Path, name: str, text: str, said: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        Templates(tmp_path)


def test_version_one_is_still_there() -> None:
    turns = turns_of(moot.Debate(), templates=Templates("v1"))
    assert {turn.prompt.template for turn in turns} == {"v1"}
    assert all(file.startswith(("task.", "system")) for turn in turns for file in turn.prompt.files)


# -- what changes from turn to turn -----------------------------------------------------------------------------------


def _asked(protocol: Protocol, seat: str, question: Question) -> Iterator[Request]:
    found: list[Any] = []

    def agent(request: Request) -> Move:
        if request.seat == seat:
            found.append(prompt_for(request))
        return puppet(request)

    moot.run(protocol, question, dict.fromkeys(protocol.roles(question), agent), seed=3)
    return iter(found)


@pytest.mark.parametrize(
    "name", ["debate", "questions", "consultancy", "market", "recursive debate", "interactive debate"]
)
def test_what_was_sent_before_is_the_beginning_of_what_is_sent_next(name: str) -> None:
    protocol, question = OURS[name], question_for(name)
    for seat in protocol.roles(question):
        sent: list[Any] = [*_asked(protocol, seat, question)]
        for before, after in zip(sent, sent[1:], strict=False):
            assert after.system == before.system
            assert after.record.startswith(before.record) or protocol.name == "market"


def test_own_statements_as_turns_of_ones_own() -> None:
    class Talking(moot.Debate):
        name: ClassVar[str] = "talking-for-tests"
        own_turns: ClassVar[tuple[str, ...]] = ("debater",)

    question = Question("Who?", choices=("x", "y"), passage="It was x.")
    sent = [each.messages() for each in _asked(Talking(rounds=3), "a", question)]  # type: ignore[attr-defined]
    assert [[each["role"] for each in messages] for messages in sent] == [
        ["system", "user"], ["system", "user", "assistant", "user"], ["system", "user", "assistant", "user", "assistant", "user"]
    ]  # fmt: skip
    assert all('by="a"' not in each["content"] for messages in sent for each in messages)
    assert sent[2][2] == sent[1][2] and '<statement by="b"' in sent[2][3]["content"]


def test_a_repair_shows_what_was_not_accepted() -> None:
    protocol, question = moot.Debate(rounds=1, limit=moot.Limit(words=3)), Question("Who?", choices=("x", "y"))
    problems: list[str] = []

    def agent(request: Request) -> Move:
        if request.attempt:
            problems.append(prompt_for(request).task)
            return Speech(text="x")
        return Speech(text="far too many words <b> here") if request.seat == "a" else puppet(request)

    moot.run(protocol, question, dict.fromkeys("ab", agent) | {"judge": puppet}, seed=1)
    told = f"<rejected>{escape('far too many words <b> here')}</rejected>"
    assert told in problems[0] and "the limit is 3 words" in problems[0]


def test_kinds_are_named_as_they_are() -> None:
    assert kind_name(Query) == "own-query"


@pytest.mark.parametrize("name", ["debate", "qbf debate", "amplify", "market", "circuit pointer", "clue oversight"])
def test_what_is_printed_is_what_is_sent(name: str) -> None:
    protocol, question, sent = OURS[name], question_for(name), []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(400, json={"error": {"message": "no"}})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handler))
    model = moot.LM("m", base_url="http://mock.invalid/v1", http_client=client, retries=0, structured="schema")
    seen = 0
    for request in prompts._requests(protocol, question, dict.fromkeys(protocol.roles(question), puppet), 1):
        with pytest.raises(moot.AgentError):
            anyio.run(model.act, request)
        assert sent.pop()["messages"] == model.prompt_of(request).messages()
        seen += 1
        if seen == 4:
            break
    assert seen >= 2
