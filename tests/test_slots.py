"""What a speaker must say, how long, and to whom: rules for words, last attempts, and slots that nobody else ever sees."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from players import FAIR, scripted

import moot
from moot.agents.people.human import shown_move
from moot.agents.prompts import Templates
from moot.agents.prompts.render import render
from moot.agents.prompts.variables import limits_told
from moot.agents.wrappers.best_of import BestOf
from moot.protocols.debate.parts import Feedback, Questions, Speeches, SpeechesOrConcessions
from moot.protocols.debate.slots import Note, Slot
from moot.protocols.engine.base import Protocol, record_of, recorded_protocol
from moot.protocols.engine.errors import Illegal, UsageError
from moot.protocols.engine.moves import Move, Speech
from moot.protocols.engine.values.quoting import segments
from moot.protocols.limits import Limit
from moot.protocols.quotes import on_record, verify
from moot.testing.shapes import Seeded, move_of
from moot.transcripts.display.show import as_text

PASSAGE = "The storm sank three ships, and the admiral said so."
QUESTION = moot.Question("What sank the ships?", ("the storm", "the admiral"), passage=PASSAGE)


def seated(protocol: Protocol, **seats: Any) -> dict[str, Any]:
    return {
        seat: seats.get(seat) or seats.get(role) or moot.testing.puppet
        for seat, role in protocol.roles(QUESTION).items()
    }


# -- how long, and what is quoted ---------------------------------------------------------------------------------------


class Says:
    """Says these texts, one an attempt; the last of them from then on."""

    def __init__(self, *texts: str) -> None:
        self.texts, self.problems = texts, list[str | None]()

    def __call__(self, request: moot.Request) -> Any:
        text = self.texts[min(request.attempt, len(self.texts) - 1)]
        self.problems.append(request.problem)
        kind = Speech if Speech in request.kinds else request.kinds[0]
        made = {} if kind is Speech else move_of(request, Seeded(request.seed)).model_dump()
        return kind.model_validate({**made, "text": text, **({"cites": ()} if "cites" in made else {})})


LONG = "The storm did it, and nobody else could have done it at all"
RULED = [
    moot.Consultancy(rounds=1, limit=Limit(words=5, over="retry")), moot.Propaganda(limit=Limit(words=5, over="retry")),
    moot.RecursiveDebate(depth=0, limit=Limit(words=5, over="retry")), moot.TreeDebate(turns="a", limit=Limit(words=5, over="retry")),
    moot.MarketMaking(horizon=1, queries=0, limit=Limit(words=5, over="retry")),
    moot.UncitedMarketMaking(horizon=1, queries=0, limit=Limit(words=5, over="retry")),
]  # fmt: skip


@pytest.mark.parametrize("protocol", RULED, ids=lambda each: each.name)
def test_a_text_that_is_too_long_is_sent_back_and_then_cut(protocol: Protocol) -> None:
    class Reacts(Says):
        def __call__(self, request: moot.Request) -> Any:
            if request.brief.get("task") == "react":
                return {"kind": "reaction", "to": "q", "claims": 1}
            return super().__call__(request)

    seat = next(seat for seat in ("consultant", "a", "adversary") if seat in protocol.roles(QUESTION))
    agent = Reacts(LONG)
    play = moot.run(protocol, QUESTION, seated(protocol, **{seat: agent}), seed=1)
    (said,) = (event for event in play.events() if event["event"] == "moved" and LONG in str(event.get("raw")))
    assert said["move"]["text"] == "The storm did it, and"
    (rejected,) = (event for event in play.events() if event["event"] == "rejected")
    assert (
        rejected["rule"] == "the limit is 5 words; this text has 13: shorten it"
        and agent.problems[-1] == rejected["rule"]
    )
    assert play.outcome is not None and play.outcome.kind == "decided"
    assert moot.replay(play).digest == play.digest and recorded_protocol(record_of(protocol)) == protocol


def test_over_says_what_becomes_of_a_longer_text() -> None:
    ends = {}
    for over in ("reject", "retry", "clip"):
        protocol = moot.Consultancy(rounds=1, limit=Limit(words=5, over=over))
        play = moot.run(protocol, QUESTION, seated(protocol, consultant=Says(LONG)))
        ends[over] = play.outcome.kind if play.outcome else "", sum(e["event"] == "rejected" for e in play.events())
    assert ends == {"reject": ("forfeited", 2), "retry": ("decided", 1), "clip": ("decided", 0)}


class Talks(Says):
    """The same, and never wants to end."""

    def __init__(self) -> None:
        super().__init__("one two three")

    def __call__(self, request: moot.Request) -> Any:
        made = super().__call__(request)
        return made.model_copy(update={"end": False}) if isinstance(made, moot.Verdict) else made


def test_the_judge_s_feedback_and_questions_are_cut_as_well() -> None:
    limit = Limit(words=2, over="retry")
    protocol = moot.Debate(rounds=2, repeat=(Speeches(), Feedback(limit=limit), Questions(limit=limit)))
    play = moot.run(protocol, QUESTION, seated(protocol, judge=Talks()))
    kept = [
        step.move["text"] for step in play.steps() if step.seat == "judge" and step.move["kind"] in ("ask", "verdict")
    ]
    assert kept[:2] == ["one two", "one two"]


@given(st.integers(0, 3), st.booleans(), st.lists(st.booleans(), max_size=5))
def test_the_last_attempt_is_held_to_the_last_check(repairs: int, early: bool, wrong: list[bool]) -> None:
    """Each attempt before it is held to the first one, in a play and in its replay."""

    def check(move: Speech) -> Speech:
        if move.text != "right":
            raise Illegal("not right")
        return move

    async def script(floor: Any) -> None:
        await floor.ask("a", Speech, check=check, last=lambda move: Speech(text="cut"), repairs=repairs)

    says = ["wrong"] * repairs if early else ["wrong" if each else "right" for each in wrong][: repairs + 1]
    says += ["wrong"]
    protocol = scripted(script)
    seats: dict[str, Any] = {"a": Says(*says), "b": moot.testing.puppet, "judge": lambda request: FAIR}
    play = moot.run(protocol, QUESTION, seats)
    place = next((i for i, text in enumerate(says[:repairs]) if text == "right"), repairs)
    assert next(play.steps()).move["text"] == ("right" if place < repairs else "cut")
    assert sum(event["event"] == "rejected" for event in play.events()) == place
    assert moot.replay(play, protocol).digest == play.digest


PIECES = st.sampled_from(
    ["<quote>", "</quote>", "<v_quote>", "</v_quote>", "storm sank", "he lied", " ", "…", "the", "&amp;", "\n"]
)


@settings(max_examples=150)
@given(st.lists(PIECES, max_size=16).map("".join), st.sampled_from(["words", "chars", "tokens"]), st.integers(1, 40))
@example("<quote>storm sank he lied</quote>", "words", 2)
@example("<quote>he lied <quote>storm sank</quote>", "words", 4)
def test_no_cut_makes_an_invention_of_a_quote_or_verifies_one(text: str, unit: str, most: int) -> None:
    limit = Limit(**{unit: most}, over="retry")
    try:
        cut = on_record(Speech(text=text), PASSAGE, limit, None, last=True)
    except Illegal:
        assert not text.strip()
        return
    before, after = verify(text, PASSAGE), cut.quotes
    assert after == before[: len(after)], "whole quotes, as they were"
    assert [part.text for part in segments(cut.text) if part.quote] == [quote.text for quote in after]


def test_a_least_length() -> None:
    limit = Limit(words=5, least=3)
    assert str(limit) == "3 to 5 words" and limit.apply("one two three") == "one two three"
    with pytest.raises(Illegal, match="at least 3 words are wanted; this text has 2: say more"):
        limit.apply("one two")
    with pytest.raises(Illegal, match="at least 3 words are wanted"):
        on_record(Speech(text="one <quote></quote><quote></quote> two"), PASSAGE, limit, None)
    for over in ("clip", "retry"):
        with pytest.raises(Illegal, match="say more"):
            Limit(words=5, least=3, over=over).apply("one", last=True)
    with pytest.raises(Illegal, match="at least 3 words are wanted; this text has 1"):
        on_record(Speech(text="one two three four <quote>five</quote>"), PASSAGE, None, limit)
    with pytest.raises(UsageError, match="limit: no text has at least 6 and at most 5 words; lower `least`"):
        Limit(words=5, least=6)
    protocol = moot.Consultancy(rounds=1, limit=limit)
    play = moot.run(protocol, QUESTION, seated(protocol, consultant=Says("no", "it was the storm")))
    assert play.outcome is not None and play.outcome.kind == "decided" and moot.replay(play).digest == play.digest


@pytest.mark.parametrize("unit", ["chars", "tokens"])
def test_what_is_cut_is_not_cut_below_the_least_length(unit: str) -> None:
    limit = Limit(**{unit: 10, "least": 8, "over": "clip"})
    assert (limit.apply("aaaa bbbbbbbbbbbb"), limit.apply("aaaa bbbb cccc")) == ("aaaa bbbbb", "aaaa bbbb")


def test_a_limit_without_a_least_length_is_recorded_as_it_always_was() -> None:
    assert Limit(words=5).model_dump() == {"chars": None, "words": 5, "tokens": None, "over": "reject"}
    assert Speeches().model_dump() == {"part": "speeches", "order": "simultaneous", "limit": None, "quote_limit": None}
    assert Limit(words=5, least=2).model_dump()["least"] == 2


@pytest.mark.parametrize(
    ("quotes", "text", "rule"),
    [
        ("required", "no quote", "must be quoted at least once"),
        ("required", "<quote>he lied</quote>", None),
        ("verified", "<quote>storm sank</quote>", None),
        ("verified", "<quote>storm sank</quote> <quote>he lied</quote>", "'he lied' does not stand in the passage"),
        ("verified", "<quote>storm sank", "must be quoted at least once"),
        ("verified", "<quote></quote>", "'' does not stand in the passage"),
        ("free", "no quote", None),
    ],
)
def test_what_must_be_quoted(quotes: Any, text: str, rule: str | None) -> None:
    speech = moot.Consultancy(rounds=1, quotes=quotes), "consultant"
    statement = moot.MarketMaking(horizon=1, queries=0, quotes=quotes), "adversary"
    claim = moot.RecursiveDebate(depth=0, quotes=quotes), "a"
    for protocol, seat in (speech, statement, claim):
        play = moot.run(protocol, QUESTION, seated(protocol, **{seat: Says(text)}))
        found = [event["rule"] for event in play.events() if event["event"] == "rejected"]
        assert (rule is None and not found) or (rule is not None and len(found) == 2 and rule in found[0]), found
        assert moot.replay(play).digest == play.digest


def test_a_cut_text_is_held_to_its_quotes_as_it_was_given() -> None:
    text = "one two three four five <quote>storm sank</quote>"
    cut = on_record(Speech(text=text), PASSAGE, Limit(words=4, over="clip"), None, "verified")
    assert cut == Speech(text="one two three four")


@pytest.mark.parametrize(
    "protocol",
    [
        moot.Debate(quotes="required"), moot.Debate(opening=(Speeches(quotes="verified"),)), moot.Propaganda(quotes="verified"),
        moot.Debate(slots=(Slot(name="speech", quotes="required"),)), moot.DoubleConsultancy(quotes="required"),
        moot.Critique(quotes="required"), moot.RecursiveDebate(quotes="required"), moot.TreeDebate(quotes="verified"),
        moot.MarketMaking(quotes="required"), moot.Consultancy(quotes="required"),
    ],
)  # fmt: skip
def test_where_there_is_no_passage_none_can_be_asked_to_quote_it(protocol: Protocol) -> None:
    with pytest.raises(UsageError, match='needs a passage to quote; "What sank the ships\\?"|needs a passage to quote'):
        protocol.roles(moot.Question(QUESTION.text, QUESTION.choices))


def test_every_rule_is_told_in_words() -> None:
    told = limits_told(
        {"limit": {"words": 150, "least": 50, "over": "retry"}, "quote_limit": {"chars": 9}, "quotes": "verified"}
    )
    assert told == [
        "Say 50 to 150 words.", "A longer text is sent back; if it is too long again, it is cut off there.", "Quote at most 9 characters.",
        "Quote the passage at least once, word for word: words with a quote that does not stand there are not accepted.",
    ]  # fmt: skip
    assert limits_told({"limit": {"words": 5, "over": "clip"}}) == [
        "Say at most 5 words.",
        "A longer text is cut off there.",
    ]
    assert limits_told({}) == [] and limits_told({"quotes": "required"}) == ["Quote the passage at least once."]
    prompts = list[str]()

    def keeps(request: moot.Request) -> Any:
        prompts.append(render(request, Templates(), "").task)
        return Says("<quote>storm sank</quote>")(request)

    for protocol, seat in (
        (moot.Consultancy(rounds=1, quotes="verified", limit=Limit(words=9, least=2)), "consultant"),
        (moot.TreeDebate(turns="a", quotes="verified", limit=Limit(words=9, least=2)), "a"),
        (moot.MarketMaking(horizon=1, queries=0, quotes="verified", limit=Limit(words=9, least=2)), "adversary"),
    ):
        moot.run(protocol, QUESTION, seated(protocol, **{seat: keeps} if seat != "a" else {"a": Claims(keeps)}))
        assert "Say 2 to 9 words." in prompts[-1] and "Quote the passage at least once, word for word" in prompts[-1]


class Claims:
    """One claim under the question, by this agent."""

    def __init__(self, agent: Any) -> None:
        self.agent = agent

    def __call__(self, request: moot.Request) -> Any:
        return (
            {"kind": "reaction", "to": "q", "claims": 1}
            if request.brief.get("task") == "react"
            else self.agent(request)
        )


def test_best_of_n_takes_what_would_be_cut_as_it_would_stand() -> None:
    protocol = moot.Consultancy(rounds=1, limit=Limit(words=5, over="retry"))
    best = BestOf(lambda request: Speech(text=LONG), n=3, score=lambda request, move: 1.0)
    play = moot.run(protocol, QUESTION, seated(protocol, consultant=best))
    assert play.outcome is not None and play.outcome.kind == "decided"
    assert next(play.steps()).move["text"] == "The storm did it, and"


# -- slots --------------------------------------------------------------------------------------------------------------

SLOTS = (
    Slot(name="plan", to="self", limit=Limit(words=40, over="clip")), Slot(name="draft", to="turn"), Slot(name="speech"),
)  # fmt: skip
SLOTTED: dict[str, Protocol] = {
    "debate": moot.Debate(rounds=2, slots=SLOTS), "in turn": moot.Debate(rounds=2, order="sequential", slots=SLOTS),
    "conceding": moot.Debate(rounds=2, concede=True, slots=SLOTS), "questions": moot.Debate(rounds=2, questions=True, slots=SLOTS),
    "opening": moot.Debate(rounds=1, opening=(Speeches(slots=SLOTS[:1]),), closing=(SpeechesOrConcessions(slots=SLOTS),)),
    "consultancy": moot.Consultancy(rounds=2, slots=SLOTS), "open consultancy": moot.OpenConsultancy(rounds=1, slots=SLOTS),
    "open debate": moot.OpenDebate(rounds=1, slots=SLOTS), "propaganda": moot.Propaganda(slots=SLOTS),
    "interactive": moot.InteractiveDebate(examiner=True, slots=SLOTS), "critique": moot.Critique(reply=True, slots=SLOTS),
    "double": moot.DoubleConsultancy(slots=SLOTS), "apart": moot.DoubleConsultancy(judged="apart", slots=SLOTS),
    "swapped": moot.SideSwapped.of(moot.Debate(rounds=1, slots=SLOTS)),
    "places": moot.SideSwapped.of(moot.Debate(rounds=1, slots=SLOTS), exchange="places"),
}  # fmt: skip


class Canary:
    """Puts into each private slot a word that names seat, slot, and step; keeps every prompt."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str], str] = {}
        self.tasks = defaultdict[str, list[str]](list)

    def __call__(self, request: moot.Request) -> Any:
        prompt = render(request, Templates(), "")
        people = "\n".join(shown_move(entry.move) for entry in request.view)
        self.seen[request.step, request.seat] = (
            f"{prompt.system}{prompt.record}{prompt.task}{people}{dict(request.brief)}"
        )
        self.tasks[request.seat].append(request.brief.get("task", ""))
        move = moot.testing.puppet(request)
        if isinstance(move, Note):
            name = request.brief["task"]
            return move.model_copy(
                update={"text": f"canary-{request.seat}-{name}-{request.step}-end <quote>storm sank</quote>"}
            )
        return move


@pytest.mark.parametrize("name", SLOTTED)
@settings(max_examples=3, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_what_is_private_reaches_nobody_else(name: str, seed: int) -> None:
    protocol, agent = SLOTTED[name], Canary()
    play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), agent), seed=seed)
    notes = {
        event["step"]: event for event in play.events() if event["event"] == "moved" and event["move"]["kind"] == "note"
    }
    assert notes, "there are private words"
    order = list(agent.seen)
    for step, event in notes.items():
        move, seat = event["move"], event["seat"]
        word = move["text"].split(" ")[0]
        readers = [at for at, prompt in agent.seen.items() if word in prompt]
        assert all(reader == seat for _, reader in readers), (word, readers)
        later = [
            at
            for at in order[order.index((step, seat)) + 1 :]
            if at[1] == seat and at[0].split(".")[0] == step.split(".")[0]
        ]
        if move["slot"] == "draft":
            assert move["turn"] and len(readers) == 1, "in the speech of its turn, and nowhere else"
        else:
            assert not move["turn"] and len(readers) >= min(1, len(later)), "from then on"
        assert move["quotes"][0]["verified"] and "under" not in event and step not in play.tree
    counts = protocol.most_moves(QUESTION)
    assert counts is not None
    for seat in protocol.roles(QUESTION):
        assert sum(step.seat == seat for step in play.steps()) <= counts[seat]
    shown = as_text(play, 400)
    assert shown.count("private, shown to nobody else") == len(notes)
    assert moot.replay(play).digest == play.digest and recorded_protocol(record_of(protocol)) == protocol


def test_a_turn_is_made_of_its_slots() -> None:
    protocol, agent = moot.Debate(rounds=2, slots=SLOTS), Canary()
    play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), agent), seed=4)
    assert agent.tasks["a"] == ["plan", "draft", "speech"] * 2 and agent.tasks["judge"] == ["verdict"]
    speeches = [step for step in play.steps() if step.move["kind"] == "speech" and step.seat == "a"]
    assert [step.under for step in speeches] == ["q", speeches[0].step]
    assert protocol.most_moves(QUESTION) == {"a": 6, "b": 6, "judge": 1}
    silent = moot.Consultancy(rounds=2, slots=SLOTS[:1])
    assert silent.decides(QUESTION) == "P" and moot.Consultancy(rounds=2, slots=SLOTS).decides(QUESTION) == "NP"
    assert moot.Debate(rounds=1, slots=SLOTS).decides(QUESTION) == "S2P"
    planned = moot.Debate(rounds=1, opening=(Speeches(slots=SLOTS[:1]),))
    assert planned.decides(QUESTION) == "S2P", "planning is no move"


def test_private_words_cost_no_reader_anything() -> None:
    costs = []
    for slots in ((), SLOTS):
        protocol = moot.Consultancy(rounds=1, slots=slots)
        seats = seated(
            protocol,
            consultant=Says("so it is"),
            judge=moot.Bounded(lambda request: [list(request.view), FAIR][1], reads=10**6),
        )
        costs.append(moot.run(protocol, QUESTION, seats).ledger.seats["judge"].reads)
    assert costs[0] == costs[1]


def test_a_slot_has_rules_of_its_own_and_else_those_of_its_part() -> None:
    seen = dict[str, Any]()

    def keeps(request: moot.Request) -> Move:
        seen[request.brief["task"]] = {key: request.brief.get(key) for key in ("limit", "quotes")}
        return moot.testing.puppet(request)

    slots = (
        Slot(name="plan", to="self"), Slot(name="thesis", limit=Limit(words=7), quotes="required"), Slot(name="speech"),
    )  # fmt: skip
    part = Speeches(slots=slots, limit=Limit(chars=300), quotes="free")
    protocol = moot.Consultancy(rounds=1, repeat=(part,))
    moot.run(protocol, QUESTION, seated(protocol, consultant=keeps))
    assert seen["plan"] == {"limit": None, "quotes": None}
    assert seen["thesis"] == {"limit": {"words": 7, "over": "reject"}, "quotes": "required"}
    assert seen["speech"] == {"limit": {"chars": 300, "over": "reject"}, "quotes": None}


def test_a_debater_that_concedes_in_a_slot_says_no_more_in_that_turn() -> None:
    slots = (Slot(name="speech"), Slot(name="afterthought"))
    protocol = moot.Debate(rounds=1, concede=True, order="sequential", slots=slots)
    asked = list[str]()

    def concedes(request: moot.Request) -> Move:
        asked.append(request.brief["task"])
        return moot.Concession(text="you are right")

    play = moot.run(protocol, QUESTION, {"a": concedes, "b": Says("so"), "judge": Says("so")})
    assert asked == ["speech-or-concession"] and play.outcome is not None
    assert isinstance(play.outcome, moot.Decided) and play.outcome.verdict.choice == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"name": "speech", "to": "self"}, "call a private slot something else"),
        ({"name": "Plan"}, "name"), ({"name": "a.b"}, "name"), ({"name": ""}, "name"), ({"name": "x", "to": "judge"}, "to"),
        ({"name": "x", "limits": 3}, "limits"),
    ],
)  # fmt: skip
def test_bad_slots_are_refused(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=f"slot: .*{says}"):
        Slot(**fields)


@pytest.mark.parametrize(
    "protocol",
    [moot.Propaganda(slots=SLOTS[:2]), moot.Critique(slots=SLOTS[:2]), moot.DoubleConsultancy(slots=SLOTS[:1])],
)
def test_a_turn_of_which_nothing_is_shown_is_refused_where_it_is_all(protocol: Protocol) -> None:
    with pytest.raises(UsageError, match='every slot of a turn is private; give one that is shown, to="all"'):
        protocol.roles(QUESTION)


def test_a_fork_and_a_rejudgement_keep_private_words_private() -> None:
    protocol, agent = moot.Debate(rounds=1, slots=SLOTS), Canary()
    play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), agent), seed=4)
    again = Canary()
    judged = moot.rejudge(play, again)
    assert len(again.seen) == 1 and "canary" not in str(again.seen) and "canary" in str(list(judged.events()))


def test_a_model_plays_every_slot_and_is_sent_back_what_does_not_do() -> None:
    """Over a socket: what is short of its rules is asked for again, a plan comes back to its author alone."""

    bodies = list[Any]()

    def reply(body: Any) -> str:
        bodies.append(body)
        told = body["messages"][1]["content"]
        kind = body["response_format"]["json_schema"]["name"]
        if kind == "verdict":
            return json.dumps({"kind": kind, "text": "so", "probabilities": {"1": 0.5, "2": 0.5}})
        seat = told.rpartition("Your seat is ")[2][0]
        text = f"canary-{seat}" if kind == "note" else "<quote>storm sank</quote> he did <quote>he did</quote>"
        if "not accepted" in told:
            text = "<quote>The storm sank</quote> them, and nobody else did at all"
        return json.dumps({"kind": kind, "text": text})

    slots = (SLOTS[0], Slot(name="speech", quotes="verified", limit=Limit(words=6, over="retry")))
    protocol = moot.Debate(rounds=2, slots=slots)
    with moot.testing.MockOpenAI(reply).serve() as url:
        model = moot.LM("mock", base_url=url, api_key="none")
        play = moot.run(protocol, QUESTION, dict.fromkeys(protocol.roles(QUESTION), model))
    assert play.outcome is not None and play.outcome.kind == "decided"
    said = {step.move["text"] for step in play.steps() if step.move["kind"] == "speech"}
    assert said == {"<quote>The storm sank</quote> them, and nobody"}
    prompts = [str(body["messages"]) for body in bodies]
    for seat, other in ("ab", "ba"):
        assert any(f"canary-{seat}" in each for each in prompts if f"You are debater {seat}" in each)
        assert not any(f"canary-{seat}" in each for each in prompts if f"You are debater {other}" in each)
    assert "canary" not in prompts[-1] and "You are the judge" in prompts[-1]
