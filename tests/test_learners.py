"""Learners: a table, a small network, their seats, and the learner of an overseer's decisions."""

from __future__ import annotations

import subprocess
import sys
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import moot
from moot.protocols.amplification.amplification import Amplification, Reply, Subquestions
from moot.tasks.arithmetic.permutation import PermutationPower
from moot.tasks.arithmetic.wildcards import Wildcard
from moot.tasks.programs.programs import Overseer
from moot.training.amplify import Amplifier
from moot.training.asker import Asker, Decision, Imitator, tokens
from moot.training.learners import Network, Tabular, as_agent
from moot.training.oversight import play_once

TEXTS = st.text("ab?", min_size=1, max_size=3)
PAIRS = st.lists(st.tuples(TEXTS, st.sampled_from("012")), max_size=30)
TASK = PermutationPower()
DATA = TASK.data(16, Random(1))


@given(PAIRS, st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_a_table_answers_with_the_most_frequent_of_the_latest_targets(
    pairs: list[tuple[str, str]], recent: int
) -> None:
    table = Tabular(recent)
    for question, answer in pairs:
        table.train([question], [answer])
    for question in {question for question, _ in pairs} | {"never"}:
        latest = [answer for asked, answer in pairs if asked == question][-recent:]
        (said,) = table.predict([question])
        if not latest:
            assert said == "?"
        else:
            most = max(latest.count(answer) for answer in latest)
            assert said == next(answer for answer in reversed(latest) if latest.count(answer) == most)


@given(PAIRS)
@settings(deadline=None, max_examples=30)
def test_a_copy_is_left_as_it_is(pairs: list[tuple[str, str]]) -> None:
    table = Tabular(3)
    table.train(*zip(*pairs, strict=True)) if pairs else None
    kept = table.copy()
    before = kept.predict([question for question, _ in pairs])
    for question, _ in pairs:
        table.train([question] * 3, ["new"] * 3)
    assert kept.predict([question for question, _ in pairs]) == before
    assert table.predict([question for question, _ in pairs]) == ["new"] * len(pairs)


def test_a_tables_loss_is_the_share_of_answers_that_were_new() -> None:
    table = Tabular()
    assert table.train(["a", "b"], ["1", "2"]) == 1.0
    assert table.train(["a", "b"], ["1", "3"]) == 0.5
    assert table.train([], []) == 0.0
    with pytest.raises(moot.UsageError, match="at least 1 target"):
        Tabular(0)


def test_a_network_fits_and_generalises_and_is_the_same_again() -> None:
    """On patterns that it was never trained on it does far better than the most frequent answer."""
    task = Wildcard()
    data = task.data(64, Random(0))
    texts = list(task.learnable(data))
    Random(0).shuffle(texts)
    truths = [task.truth(data, text) for text in texts]
    one, two = Network(task, data, seed=3), Network(task, data, seed=3)
    assert one.predict(texts[:2]) == ["?", "?"]
    losses = []
    for step in range(250):
        batch = slice(step * 64 % 560, step * 64 % 560 + 64)
        losses.append(one.train(texts[:600][batch], truths[:600][batch]))
        if step < 5:
            assert two.train(texts[:600][batch], truths[:600][batch]) == losses[-1]
        if step == 4:
            assert one.predict(texts) == two.predict(texts)
            kept = one.copy()
            before = kept.predict(texts)
    assert losses[-1] < losses[0] / 5
    right = [said == true for said, true in zip(one.predict(texts), truths, strict=True)]
    assert sum(right[:600]) / 600 > 0.7
    most = max(truths[600:].count(answer) for answer in set(truths[600:])) / 65
    assert sum(right[600:]) / 65 > most + 0.1
    assert kept.predict(texts) == before


def test_without_scikit_learn_the_extra_is_named() -> None:
    script = (
        "import sys; sys.modules['sklearn'] = sys.modules['sklearn.neural_network'] = None\n"
        "from random import Random\nimport moot\n"
        "from moot.tasks.arithmetic.permutation import PermutationPower as Task\nfrom moot.training.learners import Network\n"
        "try:\n    Network(Task(), Task().data(8, Random(0)))\n"
        "except moot.UsageError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "a network needs sklearn.neural_network: pip install 'moot[learn]'\n"


def test_a_learner_plays_the_model_of_a_recorded_amplification() -> None:
    """With a table that holds the truth, one step of amplification decides for the true answer."""
    for seed in range(3):
        sample = TASK.sample(16, seed)
        data, table = sample.question.data, Tabular()
        texts = list(TASK.learnable(data))
        table.train(texts, [TASK.truth(data, text) for text in texts])
        seats = {"overseer": Overseer(TASK), "model": as_agent(table, TASK)}
        transcript = moot.run(Amplification(model=True, depth=1, width=3, turns=4), sample, seats, seed=seed)
        assert isinstance(transcript.outcome, moot.Decided)
        assert transcript.outcome.verdict.choice == sample.unseal()
        assert moot.replay(transcript).digest == transcript.digest


@pytest.mark.parametrize(("answer", "belief"), [("x", (1.0, 0.0)), ("?", (0.5, 0.5)), ("elsewhere", (0.5, 0.5))])
def test_a_learner_as_a_judge(answer: str, belief: tuple[float, float]) -> None:
    table = Tabular()
    table.train(["Who?"], [answer])
    outcome = play_once(moot.DirectQA(), moot.Question("Who?", ("x", "y")), {"judge": as_agent(table)})
    assert isinstance(outcome, moot.Decided) and outcome.verdict.probabilities == belief
    with pytest.raises(moot.AgentError, match="which makes no Speech"):
        play_once(moot.Debate(), moot.Question("Who?", ("x", "y")), dict.fromkeys("ab", as_agent(table)))


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_decisions_that_were_seen_are_repeated_to_the_letter(data: st.DataObject) -> None:
    text = st.sampled_from(["sigma^6(3)", "sigma^7(3)", "sum(ab*)", "4", "-5", "?", "v3", "inf", "a"])
    situation = st.tuples(text, st.just("|"), text) | st.tuples(text)
    decision = st.builds(Decision, situation, st.booleans(), st.tuples(text, text) | st.tuples(text))
    seen = data.draw(st.lists(decision, max_size=12, unique_by=lambda d: d.situation))
    imitator = Imitator(trust=1)
    imitator.train(seen)
    assert [imitator.decide(each.situation) for each in seen] == seen


def test_what_is_a_form_and_what_is_variable() -> None:
    assert tokens(("sigma^37(5)", "|", "v12")) == (
        ("sigma", "^", None, "(", None, ")", "\n", "|", "\n", "v", None, "\n"), ("37", "5", "12"),
    )  # fmt: skip
    assert tokens(("sum(ab*)", "-4", "inf", "?"))[1] == ("a", "b", "-4")


def test_an_imitator_learns_tables_copies_and_the_place_of_the_least() -> None:
    random = Random(0)
    nearest = []
    for _ in range(200):
        a, *near = random.sample(range(100), 4)
        distances = [random.randrange(9) for _ in near]
        texts = (f"S(v{a})", "|", *(f"v{n}" for n in near), "|", *map(str, distances))
        nearest.append(Decision(texts, False, (f"v{near[distances.index(min(distances))]}",)))
    imitator = Imitator()
    losses = [imitator.train(nearest[i : i + 50]) for i in range(0, 200, 50)]
    assert losses[0] > 0.2 and losses[-1] == 0
    halves = [Decision((f"sigma^{n}({x})",), True, (f"sigma^{n >> 1}({x})",)) for n in range(8) for x in range(32)]
    random.shuffle(halves)
    assert imitator.train(halves[:160]) > 0
    assert imitator.train(halves[160:]) == 0
    assert imitator.decide(("sigma^9(3)",)) is None, "an exponent that it never saw"
    assert imitator.decide(("tau^3(3)",)) is None, "a form that it never saw"
    assert imitator.decide(("sigma^7(77)",)) == Decision(("sigma^7(77)",), True, ("sigma^3(77)",))


def test_an_asker_turns_to_the_human_where_the_imitation_does_not_know_or_failed() -> None:
    amplifier = Amplifier(TASK, DATA)
    texts, table = list(TASK.learnable(DATA)), Tabular()
    table.train(texts, [TASK.truth(DATA, text) for text in texts])
    imitator = Imitator()
    asker = Asker(Overseer(TASK), imitator)
    first = amplifier.play(texts, asker.act, table)
    assert first == table.predict(texts) and asker.labels == asker.decisions > 0
    imitator.train(asker.take())
    assert asker.take() == []
    labels = asker.labels
    assert amplifier.play(texts, asker.act, table) == first and asker.labels == labels, "all of it was seen"
    # An imitation that names an answer which is none: the play asks again, and the human mends it.
    imitator.seen[texts[0],] = Decision((texts[0],), False, ("nonsense",))
    assert amplifier.play(texts[:1], asker.act, table) == first[:1]
    assert asker.labels > labels and amplifier.failed == 0


def test_amplify_does_not_follow_what_is_no_question() -> None:
    """The environment answers "?" to nonsense, and a root that is forfeited counts as failed and is "?"."""

    def odd(request: moot.Request) -> moot.Move:
        if len(request.view):
            assert [e.move.answer for e in request.view if isinstance(e.move, Reply)] == ["?", "?", "?"]
            return Reply(answer="nonsense")
        return Subquestions(questions=("what?", "sigma^999(1)", "sigma^1(999)"))

    amplifier = Amplifier(TASK, DATA)
    assert amplifier.play(["sigma^5(1)"], odd, Tabular()) == ["?"]
    assert (amplifier.targets, amplifier.failed) == (1, 1)
