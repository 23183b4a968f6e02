"""Human debates in the format of Michael et al. 2023: played by their own rules, exported without loss."""

from __future__ import annotations

import copy
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nyu_back import content_of, plain, tellable, told
from nyu_records import GOOD, TOKENS, Json, broken, finished_debate, speeches

from moot.complexity.reward import continues, judge_reward
from moot.play.rejudging import rejudge
from moot.protocols.debate.consultancy import Consultancy
from moot.protocols.debate.debate import Debate
from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.moves import Verdict
from moot.protocols.engine.outcomes import Decided
from moot.protocols.engine.request import Request
from moot.transcripts.formats.importing import problems, save
from moot.transcripts.formats.nyu import (
    NyuDebates,
    OfflineJudge,
    export_debate,
    export_metadata,
    import_debate,
    offline_judgments,
)
from moot.transcripts.formats.nyu_passage import Passage, speech_of, tokens_of
from moot.transcripts.formats.nyu_rules import Segment, protocol_of, read_record
from moot.transcripts.replay import Replay, replay, verify
from moot.transcripts.transcript import Transcript, load


def open_seats(transcript: Transcript) -> list[str]:
    game = Replay(transcript).game
    seats = [waiting.ask.seat for waiting in game.open.values()]
    game.close()
    return seats


# -- every good record -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GOOD)
def test_a_good_record_is_accepted_by_its_rules_and_comes_back_to_the_last_field(name: str, tmp_path: Path) -> None:
    given = GOOD[name]
    transcript = import_debate(given)
    save(transcript.lines(), tmp_path / "d.jsonl")
    assert problems(transcript) == []
    assert json.dumps(export_debate(load(tmp_path / "d.jsonl"))) == json.dumps(given)
    assert export_metadata(transcript) is None
    assert not [event for event in transcript.events() if event["event"] == "rejected"]
    assert replay(transcript).digest == verify(transcript).digest == import_debate(given).digest
    assert transcript.protocol == protocol_of(read_record(given).setup)


@pytest.mark.parametrize("name", GOOD)
def test_the_play_says_all_that_was_said(name: str) -> None:
    """Rules, question, roles, speeches with their quotes, beliefs, votes and times are read off its events again."""
    given = GOOD[name]
    (source,) = given["setup"]["sourceMaterial"].values()
    assert told(import_debate(given), Passage.of(source["contents"])) == tellable(given)


@pytest.mark.parametrize("name", GOOD)
def test_the_truth_is_sealed(name: str) -> None:
    other = copy.deepcopy(GOOD[name])
    other["setup"]["correctAnswerIndex"] = 1
    one, two = import_debate(GOOD[name]), import_debate(other)
    assert (one.sample.unseal(), two.sample.unseal()) == (0, 1)
    assert one.digest == two.digest  # every view and every request is the same


@pytest.mark.parametrize("name", GOOD)
def test_a_program_can_judge_again_what_was_said(name: str) -> None:
    transcript = import_debate(GOOD[name])
    heard: list[int] = []

    def judge(request: Request) -> Verdict:
        assert request.view.question.passage is None
        heard.append(len(request.view))
        return Verdict(probabilities=(0.75, 0.25))

    again = rejudge(transcript, OfflineJudge(judge, transcript), stale=True)
    assert isinstance(again.outcome, Decided) and again.outcome.verdict.probabilities == (0.75, 0.25)
    assert heard == sorted(heard) and replay(again).digest == again.digest
    with pytest.raises(UsageError, match="was not imported"):
        export_debate(again)


# -- what the parts of a record become ---------------------------------------------------------------------------------


def test_a_debate_with_a_judge() -> None:
    transcript = import_debate(GOOD["debate"])
    assert isinstance(transcript.protocol, Debate) and transcript.protocol.rounds is None
    outcome = transcript.outcome
    assert isinstance(outcome, Decided) and outcome.verdict.probabilities == (0.99, 1 - 0.99)
    assert continues(transcript) == 2 and judge_reward(transcript) == pytest.approx(-0.0145 - 0.1, abs=1e-4)
    assert [(step.step, step.seat) for step in transcript.steps()] == [
        ("0", "judge"), ("1.1.0", "b"), ("1.0.0", "a"), ("2", "judge"), ("3", "a"), ("4", "b"), ("5", "judge"),
    ]  # fmt: skip
    passage = transcript.question.passage
    assert passage == (
        "THE LAMP\n\n\"Don't touch the lamp,\" said the keeper—twice. The boys' boat (a small one) was gonna sink."
    )
    quotes = [quote for step in transcript.steps() for quote in step.move.get("quotes", ())]
    assert [quote["text"] for quote in quotes] == ["boat (", "Don't touch the lamp", '"', "keeper—twice. The boys"]
    assert all(quote["verified"] and passage[slice(*quote["span"])] == quote["text"] for quote in quotes)
    assert set(transcript.tree) == {"q", "1.0.0", "1.1.0", "3", "4"}
    assert set(transcript.tree.edges) == {("q", "1.0.0"), ("q", "1.1.0"), ("1.0.0", "3"), ("1.1.0", "4")}
    assert {seat: spent.calls for seat, spent in transcript.ledger.seats.items()} == {"a": 2, "b": 2, "judge": 3}


@pytest.mark.parametrize(("letter", "answer"), [("A", 0), ("B", 1)])
def test_a_consultant_argues_for_the_answer_that_was_assigned(letter: str, answer: int) -> None:
    transcript = import_debate(GOOD[f"consultancy for {letter}"])
    assert isinstance(transcript.protocol, Consultancy) and transcript.protocol.answer == answer
    assert transcript.seats["consultant"] == {"agent": "human", "name": "Cora"}
    assert isinstance(transcript.outcome, Decided) and continues(transcript) == 2


def test_a_debate_without_a_judge_stays_open_at_the_verdict() -> None:
    for name in ("agreement", "time up"):
        transcript = import_debate(GOOD[name])
        assert transcript.outcome is None and open_seats(transcript) == ["judge"]
        assert judge_reward(transcript) is None and isinstance(transcript.protocol, Debate)
        assert transcript.protocol.rounds == 2


def test_an_unfinished_debate_stays_open_where_it_was_left() -> None:
    assert open_seats(import_debate(GOOD["waiting"])) == ["judge"]
    assert open_seats(import_debate(GOOD["one side spoke"])) == ["a"]
    assert open_seats(import_debate(GOOD["in progress"])) == ["b"]
    assert all(import_debate(GOOD[name]).outcome is None for name in ("waiting", "one side spoke", "in progress"))


def test_offline_judgments_are_kept_judge_by_judge() -> None:
    (judgment,) = offline_judgments(import_debate(GOOD["debate"]))
    assert (judgment.judge, judgment.mode) == ("Olive Offline", "stepped")
    assert [(verdict.probabilities, verdict.end) for verdict in judgment.verdicts] == [
        ((0.5, 0.5), False), ((0.25, 0.75), True)
    ]  # fmt: skip
    assert offline_judgments(import_debate(GOOD["waiting"])) == []


@pytest.mark.parametrize("function", [
    {"QuadraticScoreWithLinearPenalty": {"baseCoefficient": 2.0, "perTurnPenalty": 0.1}},
    {"SphericalScoreWithLinearPenalty": {"baseCoefficient": 2.0, "perTurnPenalty": 0.1}},
])  # fmt: skip
def test_other_scoring_functions(function: Json) -> None:
    given = finished_debate()
    given["setup"]["rules"]["scoringFunction"] = function
    transcript = import_debate(given)
    assert export_debate(transcript) == given
    squares = 0.99**2 + (1 - 0.99) ** 2
    expected = 2 * (2 * 0.99 - squares) if "Quadratic" in str(function) else 2 * 0.99 / squares**0.5
    assert judge_reward(transcript) == pytest.approx(expected - 0.1 * 2)


def test_fields_that_nobody_knows_survive() -> None:
    given = finished_debate()
    given["new"] = given["setup"]["rules"]["new"] = {"a": [1, 1.0, True, None, {"deep": "ü"}]}
    given["rounds"][1]["SimultaneousSpeeches"]["speeches"]["1"]["new"] = given["rounds"][0]["JudgeFeedback"]["new"] = 0
    given["rounds"][3]["SequentialSpeeches"]["speeches"]["0"]["speaker"] = "Somebody Else"
    given["rounds"][3]["SequentialSpeeches"]["speeches"]["1"]["content"] = [
        {"Text": {"text": "a <quote>lamp</quote> </quote>"}}, {"Text": {"text": ""}}, {"Text": {"text": "b", "new": 1}},
    ]  # fmt: skip
    del given["scratchpads"], given["setup"]["offlineJudges"], given["setup"]["rules"]["globalQuoteRestriction"]
    again = export_debate(import_debate(given))
    assert again == given and json.dumps(again["new"]) == json.dumps(given["new"])


# -- bad records -------------------------------------------------------------------------------------------------------


def test_a_quote_out_of_range_is_reported_and_the_play_goes_on() -> None:
    given = finished_debate()
    spoken = given["rounds"][3]["SequentialSpeeches"]["speeches"]["0"]["content"]
    spoken[1]["Quote"]["span"] = [len(TOKENS) - 1, len(TOKENS) + 2]
    spoken.append({"Quote": {"span": [99, 98]}})
    transcript = import_debate(given)
    assert [problem.split(": ")[0] for problem in problems(transcript)] == [
        "rounds.3.SequentialSpeeches.speeches.0.content.1", "rounds.3.SequentialSpeeches.speeches.0.content.3"
    ]  # fmt: skip
    assert isinstance(transcript.outcome, Decided) and export_debate(transcript) == given
    (_, _, _, _, step, *_) = transcript.steps()
    assert step.move["quotes"][0]["text"] == "." and not step.move["quotes"][1]["verified"]


@pytest.mark.parametrize(("change", "message"), [
    (lambda r: r.pop("setup"), "^setup is missing"),
    (lambda r: r["setup"].update(question=" "), "a question needs a text"),
    (lambda r: r["setup"].update(correctAnswerIndex=2), "truth is 2"),
    (lambda r: r["setup"].update(answers=["x", "x"]), "two equal choices"),
    (lambda r: r["setup"].update(sourceMaterial={}), "^setup.sourceMaterial: Dictionary should have at least 1 item"),
    (lambda r: r["setup"]["rules"].update(fixedClosing={"maxRepeatCycles": 10**9, "rounds": []}), "must be from 0 to 10,000"),
    (lambda r: r["setup"]["rules"]["fixedOpening"].append({"Dance": {}}), r"fixedOpening.3: it must hold"),
    (lambda r: r["setup"]["rules"]["fixedOpening"].append(speeches("Sequential", quotes=0)), r"fixedOpening.3.*quoteLimit is 0"),
    (lambda r: r["setup"]["rules"]["fixedOpening"][0]["JudgeFeedbackRound"].pop("charLimit"),
     r"setup.rules.fixedOpening.0.JudgeFeedbackRound.charLimit is missing"),
    (lambda r: (r["setup"]["roles"].pop("Debater A"),
                r["setup"]["rules"]["fixedOpening"].append(speeches("Sequential", only=True))), "neither a debate"),
    (lambda r: r["rounds"].append({"JudgeFeedback": None}), r"rounds.6: it must hold exactly one of"),
    (lambda r: r["rounds"][1]["SimultaneousSpeeches"]["speeches"]["0"]["content"][0]["Quote"].update(span=[1]),
     r"rounds.1.SimultaneousSpeeches.speeches.0.content.0.Quote.span: List should have at least 2"),
    (lambda r: r["rounds"][1]["SimultaneousSpeeches"].update(speeches=[]), r"speeches is a list, not an object"),
    (lambda r: r["feedback"].update(x="\ud800"), "what JSON in UTF-8 cannot"),
])  # fmt: skip
def test_a_record_that_cannot_be_read_is_an_error_with_its_place(change: Any, message: str) -> None:
    given = finished_debate()
    change(given)
    with pytest.raises(UsageError, match=message):
        import_debate(given)


# -- metadata and folders ----------------------------------------------------------------------------------------------


def metadata(name: str, reward: float = 0.0) -> Json:
    given = finished_debate()
    transcript = import_debate(given)
    judging = {"correctAnswerIndex": 0, "numContinues": 2, "finalJudgement": [0.99, 1 - 0.99]}
    result = {"timestamp": 1_700_000_000_007, "correctAnswerIndex": 0, "endedBy": {"JudgeDecided": {}}}
    exact = judge_reward(transcript)
    assert exact is not None
    return {
        "name": name, "setting": {"isHuman": False}, "extra": [1],
        "status": {"Complete": {"result": {**result, "judgingInfo": {**judging, "judgeReward": exact + reward}}}},
    }  # fmt: skip


def test_metadata_comes_back_and_what_contradicts_the_play_is_a_problem() -> None:
    good, bad = metadata("x"), metadata("x", reward=1e-15)
    assert problems(import_debate(finished_debate(), good)) == []
    assert export_metadata(import_debate(finished_debate(), good)) == good
    (problem,) = problems(transcript := import_debate(finished_debate(), bad))
    assert problem.startswith("metadata.status.Complete.result.judgingInfo is") and export_metadata(transcript) == bad
    (problem,) = problems(import_debate(GOOD["waiting"], good))
    assert "by the record's rules and rounds it is WaitingToBegin" in problem
    assert problems(import_debate(GOOD["agreement"], {"status": {"Complete": {"result": {
        "endedBy": {"MutualAgreement": {}}, "correctAnswerIndex": 0, "judgingInfo": None}}}})) == []  # fmt: skip


def folder(tmp_path: Path) -> Path:
    (tmp_path / "debates").mkdir()
    files = {"fine": json.dumps(finished_debate()), "torn": json.dumps(finished_debate())[:-9], "list": "[]",
             "nan": '{"setup": NaN}', "bad": json.dumps(broken("long feedback")[0]), "deep": "[" * 100_000}  # fmt: skip
    for name, text in files.items():
        (tmp_path / "debates" / f"{name}.json").write_text(text)
    (tmp_path / "debates" / "latin.json").write_bytes(b'{"setup": "\xe9"}')
    lines = [json.dumps(metadata("fine")), "{", "", json.dumps(metadata("gone")), json.dumps(metadata("fine")), "[]"]
    (tmp_path / "debates-metadata.jsonl").write_text("\n".join(lines))
    return tmp_path


def test_a_folder_is_imported_whole_whatever_is_wrong_with_some_of_it(tmp_path: Path) -> None:
    source, out = folder(tmp_path), tmp_path / "out"
    found = {each.name: each for each in NyuDebates().imports(source, out)}
    assert list(found) == ["debates-metadata.jsonl", "bad", "deep", "fine", "latin", "list", "nan", "torn", "gone"]
    assert {name for name, each in found.items() if each.path} == {"fine", "bad"}
    wrong = found["debates-metadata.jsonl"].problems
    assert [line.split(": ")[1][:6] for line in wrong] == ["line 2", "line 5", "line 6"]
    assert found["fine"].problems == [] and found["fine"].path == out / "fine.jsonl"
    assert "no line of debates-metadata.jsonl" in found["bad"].problems[0]
    assert "bad.json: rounds.2.JudgeFeedback: the limit" in found["bad"].problems[1]
    for name in ("deep", "latin", "list", "nan", "torn"):
        (problem,) = found[name].problems
        assert problem.startswith(f"{source / 'debates' / name}.json: ")
    assert sorted(path.name for path in out.iterdir()) == ["bad.jsonl", "fine.jsonl"]
    assert export_metadata(load(out / "fine.jsonl")) == metadata("fine")


def test_what_exists_is_left_alone(tmp_path: Path) -> None:
    source, out = folder(tmp_path), tmp_path / "out"
    list(NyuDebates().imports(source, out))
    before = (out / "fine.jsonl").read_bytes()
    again = {each.name: each for each in NyuDebates().imports(source / "debates" / "fine.json", out)}
    assert again["fine"].path is None and "exists already, and is left as it is" in again["fine"].problems[0]
    assert (out / "fine.jsonl").read_bytes() == before
    with pytest.raises(UsageError, match="exists already"):
        save([], out / "fine.jsonl")


def test_records_in_folders_below_debates(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (source / "debates" / "pilot").mkdir()
    (source / "debates" / "fine.json").rename(source / "debates" / "pilot" / "fine.json")
    found = {each.name: each for each in NyuDebates().imports(source, tmp_path / "out") if each.path}
    assert set(found) == {"pilot-fine", "bad"} and found["pilot-fine"].path is not None
    assert export_metadata(load(found["pilot-fine"].path)) == metadata("fine")


def test_one_file_and_a_bare_folder_of_records(tmp_path: Path) -> None:
    source = folder(tmp_path)
    (one,) = (
        each for each in NyuDebates().imports(source / "debates" / "fine.json", tmp_path / "a") if each.name == "fine"
    )
    assert one.path is not None and export_metadata(load(one.path)) == metadata("fine")
    assert {each.name for each in NyuDebates().imports(source / "debates", tmp_path / "b") if each.path} == {
        "fine",
        "bad",
    }
    (tmp_path / "empty").mkdir()
    for nothing in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(UsageError, match="holds no .json file|there is no file"):
            NyuDebates().imports(nothing, tmp_path / "c")
    with pytest.raises(UsageError, match="cannot import"):
        NyuDebates().imports(source, source / "debates" / "fine.json")


# -- translations and their way back -----------------------------------------------------------------------------------

words = st.sampled_from(["``", "''", "'", "--", "-LRB-", "-RRB-", "\n", "", " x", "y ", "gon", "na", "—", '"', "."])
tokens = st.lists(words | st.text("ab<q>", max_size=3), max_size=30)


@given(tokens)
def test_tokens_make_a_passage_and_come_back(given: list[str]) -> None:
    passage = Passage.of(given)
    assert tokens_of(json.loads(json.dumps(passage.recorded))) == passage.tokens == given
    spans = [span for i in range(len(given)) if (span := passage.characters(i, i + 1)) is not None]
    assert len(spans) == len(given)
    between = [passage.text[one[1] : two[0]] for one, two in pairwise([(0, 0), *spans, (len(passage.text),) * 2])]
    assert set(between) <= {"", " "} and between[:1] + between[-1:] == ["", ""]


@pytest.mark.parametrize("wrong", [1, None, ["a"], {"a": 1}, True])
def test_a_token_that_is_no_text_is_named(wrong: Any) -> None:
    given = finished_debate()
    given["setup"]["sourceMaterial"]["QuALITYSourceMaterial"]["contents"] = ["a", "b", wrong, "c"]
    with pytest.raises(UsageError, match=r"contents.2 is .*no text"):
        import_debate(given)


@given(st.data())
def test_a_speech_comes_back_in_segments(data: st.DataObject) -> None:
    passage = Passage.of(data.draw(st.lists(st.sampled_from(TOKENS), min_size=1, max_size=40)))
    spans = st.tuples(st.integers(0, len(passage.tokens) - 1), st.integers(1, 9)).map(lambda s: [s[0], s[0] + s[1]])
    spans = spans.filter(lambda span: span[1] <= len(passage.tokens))
    quotes = data.draw(st.lists(spans, max_size=4))
    content: list[Json] = []
    for span in quotes:
        text = data.draw(st.text("ab <>/", max_size=5))
        content += [{"Text": {"text": text}}] if text else []
        content.append({"Quote": {"span": span}})
    move = speech_of([Segment.model_validate(segment) for segment in content], passage)
    assert content_of(move, passage) == content


# -- the corpus --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def corpus() -> Path:
    if given := os.environ.get("MOOT_NYU_DATA"):
        return Path(given)
    pytest.skip("no corpus: set MOOT_NYU_DATA to a folder with debates/ and debates-metadata.jsonl")


def test_the_corpus_is_accepted_comes_back_and_pays_the_recorded_rewards(corpus: Path, tmp_path: Path) -> None:
    results = list(NyuDebates().imports(corpus, tmp_path))
    assert len(results) == len(list((corpus / "debates").glob("*.json"))) and all(each.path for each in results)
    found = [problem for each in results for problem in each.problems]
    assert len(found) == 1 and "a-pail-of-air-7.json: rounds.15" in found[0] and "6926 to 6929" in found[0]
    lines = (corpus / "debates-metadata.jsonl").read_text("utf-8").splitlines()
    described = {line["name"]: line for line in map(json.loads, lines)}
    judged = 0
    for each in results:
        assert each.path is not None
        transcript = load(each.path)
        text = (corpus / "debates" / f"{each.name}.json").read_text("utf-8")
        record = export_debate(transcript)
        assert record == json.loads(text) and export_metadata(transcript) == described[each.name]
        assert json.dumps(record, ensure_ascii=False, separators=(",", ":")) == text.strip()
        if not each.problems:
            (source,) = record["setup"]["sourceMaterial"].values()
            assert plain(told(transcript, Passage.of(source["contents"]))) == plain(tellable(record))
        replay(transcript)
        info = described[each.name]["status"].get("Complete", {}).get("result", {}).get("judgingInfo")
        outcome = transcript.outcome
        assert isinstance(outcome, Decided) == (info is not None)
        if isinstance(outcome, Decided):
            judged += 1
            assert judge_reward(transcript) == info["judgeReward"]
            assert continues(transcript) == info["numContinues"]
            assert list(outcome.verdict.probabilities) == info["finalJudgement"]
        results_offline = described[each.name]["status"].get("Complete", {}).get("offlineJudgingResults", {})
        assert {judgment.judge for judgment in offline_judgments(transcript)} == set(results_offline)
        quotes = [q for step in transcript.steps() for q in step.move.get("quotes", ())]
        assert all(quote["verified"] and quote["span"] for quote in quotes)
    assert judged == 209
