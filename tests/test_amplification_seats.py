"""Amplification as it is seen: by humans, models and programs in its seats, on the page, and at the command line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from agent_kit import log_of, request_for
from cli_calls import call, refused, said
from cli_calls import folder as folder
from hypothesis import given, settings
from hypothesis import strategies as st
from test_human import typed

import moot
from moot.agents.models.lm import LM
from moot.agents.prompts import Templates
from moot.agents.prompts.elements import statement
from moot.agents.prompts.forms import Form
from moot.agents.prompts.reading import read
from moot.agents.prompts.render import render
from moot.complexity.rules import evaluate
from moot.protocols.amplification.amplification import Amplification, Open, Reply, StrongAmplification, Subquestions
from moot.protocols.engine.errors import AgentError, BudgetExceeded
from moot.protocols.engine.moves import UNKNOWN
from moot.protocols.engine.view import NOTHING, Entry, Shown, View
from moot.tasks.arithmetic.sums import Sum
from moot.tasks.base import Task, known_tasks, task_named
from moot.tasks.programs.programs import Overseer

KINDS = (Subquestions, Open, Reply)
OPEN = moot.Question("read &0123456789ab", data=[3, {"x": 5}], about="a note")


# -- a human -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "brief", "move"),
    [
        (["s", "One?", " ", " Two? ", "."], {}, Subquestions(questions=("One?", "Two?"))),
        (["subquestions", "a", "b", ".", "a", "."], {"most": {"questions": 1}}, Subquestions(questions=("a",))),
        (
            ["s", "a", "b", ".", "1 x", ".", "5 0", "."],
            {"budget": 9},
            Subquestions(questions=("a", "b"), budgets=(5, 0)),
        ),
        (["s", "a", ".", "."], {"budget": 9}, Subquestions(questions=("a",))),
        (["x", "", "r", ".", "an", "answer", "."], {}, Reply(answer="an\nanswer")),
        (["o", "0", "2", "&0123456789ac", "1"], {}, Open(pointer="&0123456789ab")),
        (["open", "&0123456789ab"], {}, Open(pointer="&0123456789ab")),
    ],
)
def test_a_human_oversees(lines: list[str], brief: dict[str, Any], move: Any) -> None:
    given, shown = typed(lines, *KINDS, question=OPEN, source="all", **brief)
    assert given == move and "About it: a note" in shown
    assert "Your budget: 9" in shown or "budget" not in brief


def test_a_human_answers_a_choice_by_its_number() -> None:
    question = moot.Question("Which?", ("62", "151"))
    assert typed(["62", "3", "0", "2"], Reply, question=question)[0] == Reply(answer="151")
    assert typed(["?"], Reply, question=question)[0] == Reply(answer=UNKNOWN)


def test_a_human_looks_at_cells_and_pays_for_them() -> None:
    charged: list[int] = []
    _, shown = typed(
        ["7", "y", "0", "1 x", "", "r", "8", "."], *KINDS, question=OPEN, source="metered",
        left=lambda measure, amount: charged.append(amount),
    )  # fmt: skip
    assert "there is no cell 7" in shown and "there is no cell y" in shown
    assert charged == [1, 2] and "\n3\n" in shown and "\n5\n" in shown
    assert "Look at which cell" not in typed(["r", "8", "."], *KINDS, question=OPEN, source="none")[1]
    with pytest.raises(BudgetExceeded):
        typed(["0"], *KINDS, question=OPEN, source="metered", left=_nothing_left)


def _nothing_left(measure: str, amount: int) -> None:
    raise BudgetExceeded(measure, amount, 0)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=8), st.sampled_from(["s", "r", "o", "1", ".", "?", "a"])), max_size=25),
    st.booleans(),
)
def test_whatever_a_human_types_is_a_legal_move_or_the_input_ends(lines: list[str], choices: bool) -> None:
    question = moot.Question("Which &0123456789ab?", ("x", "y") if choices else ())
    try:
        move, _ = typed(lines, *KINDS, question=question, most={"questions": 2}, budget=3)
    except AgentError as error:
        assert "closed the input" in str(error)
        return
    assert isinstance(move, KINDS) and (not isinstance(move, Subquestions) or len(move.questions) <= 2)


def test_a_human_is_shown_which_question_an_answer_is_to() -> None:
    log = log_of(
        ("o", Subquestions(questions=("a", "b"))), ("o", Reply(of="a", answer="1")), ("o", Open(pointer="&x", text=""))
    )
    _, shown = typed(["r", "1", "."], *KINDS, question=moot.Question("q"), log=log)
    assert "asks\n(1) a\n(2) b" in shown and "a → 1" in shown and "&x holds nothing" in shown


# -- a model -------------------------------------------------------------------------------------------------------


def test_a_model_is_shown_which_question_an_answer_is_to_and_what_a_pointer_is() -> None:
    assert 'question="a&quot;b">1<' in statement(Entry("0", "o", Reply(of='a"b', answer="1")))
    assert 'pointer="&amp;x">1<' in statement(Entry("0", "o", Open(of="q", pointer="&x", text="1")))
    for version in ("v1", "v1-small"):
        request = request_for(*KINDS, role="overseer", task="amplify-strong", most={"questions": 3}, budget=7)
        task = render(request, Templates(None, version), "FORM").task
        assert "pointer" in task and "FORM" in task
        assert version != "v1" or ("At most 3 questions." in task and "Your budget is 7" in task)
        weak = render(request_for(Reply, role="overseer", task="amplify"), Templates(None, version), "FORM").task
        assert "pointer" not in weak


@pytest.mark.parametrize("tagged", [True, False])
def test_a_pointer_may_be_copied_as_the_record_shows_it(tagged: bool) -> None:
    answers = {
        True: '<subquestions><questions>["read &amp;0123456789ab"]</questions></subquestions>',
        False: '{"move": {"kind": "subquestions", "questions": ["read &amp;0123456789ab"]}}',
    }
    move = read(Form(KINDS, 0), answers[tagged])
    assert move == Subquestions(questions=("read &0123456789ab",))
    kept = read(Form((Reply,), 0), '{"answer": "AT&amp;T &amp;0123456789abc"}')
    assert kept == Reply(answer="AT&T &0123456789abc")


def test_a_schema_bounds_texts_only_where_a_grammar_holds_the_model_to_it() -> None:
    assert "maxLength" not in json.dumps(Form(KINDS, 0).response_format())
    assert "minLength" not in json.dumps(Form(KINDS, 0).response_format())
    assert '"maxLength": 100' in json.dumps(Form(KINDS, 0, length=100).response_format())


# -- reads ---------------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(), min_size=1, max_size=9), st.text(max_size=9), st.integers(0, 12))
def test_a_source_shown_whole_is_paid_for_once_and_then_free(cells: list[int], passage: str, limit: int) -> None:
    from moot.protocols.engine.budget import Account, Meter
    from moot.protocols.engine.errors import BudgetExceeded

    question = moot.Question("q", data=cells, passage=passage or None)
    whole = len(cells) + len(passage)
    meter = Meter(Account({"reads_per_call": limit}))
    view = Shown(View(question, NOTHING, "all"), meter)
    if whole > limit:
        with pytest.raises(BudgetExceeded):
            view.question  # noqa: B018
        assert meter.reads == 0
    else:
        assert view.question is question and view.question.data == cells
        assert view.look(0) == cells[0] and view.excerpt(0, 9) == passage and meter.reads == whole


def test_no_guarantee_for_an_overseer_that_saw_more_than_it_may_read() -> None:
    sample = Sum().sample(64)

    def act(request: moot.Request) -> Any:
        return Reply(answer=Sum().truth(request.view.question.data, request.view.question.text))

    t = moot.run(Amplification(source="all"), sample, {"overseer": moot.Bounded(act, reads_per_call=Sum.reads)})
    assert isinstance(t.outcome, moot.Exhausted) and (t.outcome.used, t.outcome.limit) == (64, 3)
    assert not t.guarantee.holds
    t = moot.run(Amplification(source="all"), sample, {"overseer": moot.Bounded(act, reads_per_call="n", reads="n")})
    assert not t.guarantee.holds and "copies without memory" in t.guarantee.because
    copied = moot.Bounded(moot.Copies(act), reads_per_call="n", reads="n")
    t = moot.run(Amplification(source="all"), sample, {"overseer": copied})
    assert t.guarantee.holds and t.ledger.seats["overseer"].reads == 64


# -- programs ------------------------------------------------------------------------------------------------------


OURS = {name: task for name, task in sorted(known_tasks().items()) if type(task).__module__.startswith("moot.")}
RULED = [name for name, task in OURS.items() if type(task).rule is not Task.rule]
SIZES = {"wildcard": 8, "halting": 2}


@pytest.mark.parametrize("name", RULED)
def test_a_program_answers_that_it_does_not_know_to_what_it_cannot_use(name: str) -> None:
    task = task_named(name)
    sample = task.sample(SIZES.get(name, 6), 1)
    noise = ("I think 7", "", "-", "9" * 5000, "&0123456789ab", "yes", "nan", "x99")
    numbers = count()

    def model(request: moot.Request) -> Any:
        return {"kind": "reply", "answer": noise[next(numbers) % len(noise)] or "none"}

    protocol = StrongAmplification if task.messages == "pointers" else Amplification
    for _ in noise:
        next(numbers)
        made = protocol(depth=None, width=64, turns=64, model=True)
        t = moot.run(made, sample, {"overseer": Overseer(task), "model": model})
        # halting's model may be refused: what it says holds pointers that nobody showed it
        assert t.outcome is not None and t.outcome.kind in ("decided", "forfeited"), t.outcome
    for program in ("overseer", "truthful"):
        view = View(sample.question.model_copy(update={"choices": (), "text": "What is love?"}), NOTHING, "all")
        request = moot.Request("0", "model", "model", KINDS, view, {}, "digest")
        assert task.programs()[program]().act(request).answer == UNKNOWN


@pytest.mark.parametrize("params", [{"width": 1}, {"budget": 1}, {"turns": 1}, {"depth": 0}, {"questions": 1}])
def test_a_program_that_may_not_ask_enough_does_not_know(params: dict[str, Any]) -> None:
    made, seats = Sum().staged("amplify", Sum().sample(9, 1), **params)
    outcome = moot.run(made, Sum().sample(9, 1), seats).outcome
    assert isinstance(outcome, moot.Decided) and outcome.verdict.choice is None


def test_a_model_of_the_truth_sees_the_data() -> None:
    made, seats = Sum().staged("amplify", Sum().sample(9, 1), model=True)
    t = moot.run(made, Sum().sample(9, 1), seats)
    assert isinstance(t.outcome, moot.Decided) and t.outcome.verdict.choice == Sum().sample(9, 1).unseal()
    assert t.guarantee.holds and t.ledger.seats["overseer"].reads == 2


@pytest.mark.parametrize("name", RULED)
def test_tasks_say_truly_whether_pointer_protocols_take_their_notation(name: str) -> None:
    task = task_named(name)
    if task.messages == "pointers":
        assert task.cast("amplify") == {} != task.cast("amplify-strong")
        return
    texts: list[str] = []
    for seed in range(6):
        question = task.sample(SIZES.get(name, 6), seed).question
        texts.append(question.text)
        try:
            evaluate(task, question.data, question.text, asked=lambda asking, asked: texts.extend(asked))
        except moot.UsageError:
            pass  # a circle
    plain = not any(sign in text for text in texts for sign in "[]&")
    assert plain if task.messages == "plain" else True
    assert bool(task.cast("amplify-strong")) == (task.messages == "plain")
    if task.messages == "plain":
        made, seats = task.staged("amplify-strong", task.sample(SIZES.get(name, 6), 2))
        outcome = moot.run(made, task.sample(SIZES.get(name, 6), 2), seats).outcome
        assert outcome is not None and outcome.kind == ("forfeited" if name == "citing-pair" else "decided")


def test_another_overseer_is_put_in_by_rejudging(tmp_path: Path) -> None:
    sample = Sum().sample(8, 1)
    made, seats = Sum().staged("amplify", sample)
    t = moot.run(made, sample, seats, out=tmp_path / "a.jsonl")
    again = moot.rejudge(t, lambda request: Reply(answer=UNKNOWN), out=tmp_path / "b.jsonl")
    assert isinstance(again.outcome, moot.Decided) and again.outcome.verdict.choice is None
    assert again.ledger.seats["overseer"].calls == 1


# -- on the page and at the command line ---------------------------------------------------------------------------


def test_questions_and_answers_read_well() -> None:
    from moot.transcripts.display.notebook import as_html
    from moot.transcripts.display.show import as_text, ledger_text, tree_text

    t = moot.run(*_staged(Sum(), "amplify", 2))
    text = as_text(t)
    assert "sum[0:2] asks\n  (1) sum[0:1]\n  (2) sum[1:2]" in text and "\n  sum[0:1] → " in text
    assert "at most 3 reads per call" in text and "None" not in text
    assert "sum[0:2] asks (1) sum[0:1] (2) sum[1:2]" in tree_text(t.tree)
    assert "sum[0:1] → " in as_html(t)
    strong = as_text(moot.run(*_staged(task_named("halting"), "amplify-strong", 1)))
    assert " holds nothing" in strong and " holds seek-" in strong

    def again(request: moot.Request) -> Any:
        return Subquestions(questions=("b",)) if Subquestions in request.kinds else Reply(answer="?")

    circle = moot.run(Amplification(), moot.Question("b", ("x", "y")), {"overseer": again})
    assert "some of them leading back to themselves" in ledger_text(circle.ledger)


def _staged(task: Task, protocol: str, size: int) -> Iterator[Any]:
    sample = task.sample(size, 1)
    made, seats = task.staged(protocol, sample)
    return iter((made, sample, seats))


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("width", [80, 120])
def test_the_tasks_fit_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = said("tasks").splitlines()
    assert max(map(len, lines)) <= width and sum(line.split()[:1] == ["tableau"] for line in lines) == 1
    assert any("Hubinger 2020, Weak HCH accesses EXP" in line for line in lines)


@pytest.mark.usefixtures("folder")
def test_the_command_line_refuses_sizes_and_casts_that_there_are_not() -> None:
    play = ("run", "-P", "amplify", "--task")
    assert "size is 0; it must be at least 1" in refused(*play, "sum", "--size", "0")
    assert "sizes go up to 1000000" in refused(*play, "sum", "--size", str(10**11))
    assert "do not play amplify;" in refused(*play, "halting", "--size", "2")
    assert "do not play amplify-strong" in refused("run", "-P", "amplify-strong", "--task", "sum")
    bill = json.loads(said(*play, "sum", "--seat", "overseer=local", "--dry-run", "--json"))
    assert bill["total"]["moves"] == 57


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("agents", ["local", "m", "human", "python:cli_agents:judge"])
def test_everybody_who_oversees_looks_at_the_data(agents: str) -> None:
    from moot.cli.plan import Plan
    from moot.cli.tasking import cast

    config = {"m": {"kind": "openai", "model": "x"}}
    planned = cast(Plan(Amplification(), {"overseer": agents}, config=config), "sum", [Sum().sample(4)])
    assert planned.protocol.model_dump()["source"] == "metered"


@pytest.mark.usefixtures("folder")
def test_a_program_that_was_typed_gets_the_parameters_that_it_needs() -> None:
    done = said(
        "run", "-P", "amplify", "--task", "sum", "--size", "16", "--seat", "overseer=task:sum:overseer", "-o", "t.jsonl"
    )
    assert "the judge is right" in done


@pytest.mark.usefixtures("folder")
def test_every_public_verb_takes_an_amplified_play(folder: Path) -> None:
    said("run", "-P", "amplify", "--task", "sum", "--size", "5", "-o", "a.jsonl")
    for verb in (["show"], ["tree"], ["cost"], ["verify"], ["replay"], ["export", "-f", "mermaid"]):
        assert said(*verb, "a.jsonl")
    slips = "task:sum:slipping-overseer"
    assert call("rejudge", "a.jsonl", "--judge", slips, "-o", "b.jsonl").exit_code == 0
    forked = ("fork", "a.jsonl", "--at", "2.0.0", "--seat", "overseer=task:sum:overseer", "-o", "c.jsonl")
    assert call(*forked).exit_code == 0
    digests = [moot.load(folder / name).digest for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    assert digests[0] == digests[2]


def test_the_schema_of_a_model_in_a_seat_holds_the_choices_and_the_width() -> None:
    seen: list[Any] = []
    lm = LM("m", base_url="http://127.0.0.1:1/v1")

    def act(request: moot.Request) -> Any:
        seen.append(json.dumps(lm.form(request).response_format()))
        return Reply(answer="x")

    moot.run(Amplification(width=2), moot.Question("Which?", ("x", "y")), {"overseer": act})
    assert '"enum": ["x", "y", "?"]' in seen[0] and '"maxItems": 2' in seen[0] and "budgets" not in seen[0]
