"""The pages of a person who judges, over real sockets: what they show, what is charged, and what nobody is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from browser_kit import eventually, served
from judging_kit import Client, Item, MemoryOffice, Reply, fields, pay, rules_of, talks, turn_of

import moot
from moot.protocols.engine.errors import TranscriptError
from moot.web.judging.app import judging
from moot.web.server.guard import LARGEST

PASSAGE = "SECRETPASSAGE the storm sank three ships, and nobody saw the admiral."
QUESTION = moot.Question("What sank the ships?", ("the storm", "the admiral"), passage=PASSAGE)
NAMES = {"a": "B", "b": "A", "judge": "You"}
LONG = "SECRETLONG " + 40 * "and so it goes on and on "


def debate(rounds: int = 1, **more: Any) -> Item:
    """A debate of one round; `a` is known as B, and the other way round."""
    protocol = (
        moot.Debate(rounds=rounds, repeat=(moot.Speeches(), moot.Feedback()) if rounds > 1 else None)
        if rounds > 1
        else moot.Debate(rounds=1)
    )
    seats = {"a": talks("SECRETA short"), "b": talks(LONG)}
    return Item(protocol, moot.Sample(QUESTION, truth=0), seats, NAMES, **more)


@contextmanager
def asking(office: MemoryOffice, **more: Any) -> Iterator[Client]:
    """A client of the pages of an office, whose posts come from its own origin."""
    with served(judging(office, **more)) as url:  # type: ignore[arg-type]
        yield Client(url)


def begun(client: Client, link: str) -> tuple[str, dict[str, str]]:
    """Begin what is next, and come to its first turn."""
    assert client.post(f"{link}/next", {"x": ""}).status == 303
    page = turn_of(client, link)
    return page, fields(page)


def test_a_debate_is_judged_by_plain_forms_within_a_budget_that_runs_dry() -> None:
    office = MemoryOffice(
        {"ann": [debate(bound={"reads": 100})]},
        rules_of(
            feedback="each",
            pay=pay(base=1, per_point=0.5, currency="GBP"),
            consent="# Yes\n<b>no</b>",
            instructions="Read *this*.",
        ),
    )
    link = office.link("ann")
    with asking(office) as client:
        page = client.get(f"{link}/").text
        assert "<h1>Yes</h1>" in page and "&lt;b&gt;no" in page
        assert client.post(f"{link}/consent", {"agree": "no"}).status == 400 and not office.agreed
        assert client.post(f"{link}/consent", {"agree": "yes"}).headers["location"] == f"{link}/"
        assert "<em>this</em>" in client.get(f"{link}/").text
        client.post(f"{link}/begin", {"x": ""})
        assert "The next one" in client.get(f"{link}/").text
        page, own = begun(client, link)
        assert "100 of 100 characters left" in page and "SECRETA" not in page and "SECRETLONG" not in page
        assert (
            "A defends answer 2: the admiral." in page
            and "B defends answer 1: the storm." in page
            and "The judge cannot see it" in page
        )
        seating = next(iter(office.seatings.values()))
        turn = seating.turn
        assert turn is not None
        page = client.post(f"{link}/open", {**own, "statement": "2", "f0-probabilities-1": "60"}, follow=True).text
        assert "SECRETA short" in page and "87 of 100 characters left" in page and 'value="60"' in page
        page = client.post(f"{link}/open", {**own, "statement": "1"}, follow=True).text
        assert (
            "SECRETLONG" not in page
            and "It costs more than you have left" in page
            and "87 of 100 characters left" in page
        )
        assert "nothing was charged" in page and turn.request.budget.reads == 13
        for wrong, said in {
            "": "give a number for each",
            "nan": "no number",
            "inf": "not 100",
            "1e999": "not 100",
            "-5": "from 0 to 100",
            "x": "no number",
            "170": "from 0 to 100",
        }.items():
            reply = client.post(
                f"{link}/answer",
                {
                    **own,
                    "kind": "verdict",
                    "f0-probabilities-1": wrong,
                    "f0-probabilities-2": "50" if wrong in ("inf", "1e999") else "",
                },
            )
            assert reply.status == 422 and said in reply.text and turn.waiting, (wrong, reply.text)
        reply = client.get(f"{link}/pays", {**own, "f0-probabilities-1": "50", "f0-probabilities-2": ""}).json()
        assert reply["rows"][0] == {"choice": "the storm", "points": "−0.69", "money": "0.65 GBP"}
        reply = client.post(
            f"{link}/answer",
            {**own, "kind": "verdict", "f0-probabilities-1": "75", "f0-probabilities-2": "", "f0-text": "so"},
        )
        assert reply.status == 303
        again = client.post(
            f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "5", "f0-probabilities-2": ""}
        )
        assert again.status == 409 and "Already answered" in again.text
        eventually(lambda: seating.ended is not None)
        page = client.get(f"{link}/").text
        assert "The right answer: <strong>the storm</strong>" in page and "−0.29" in page and "0.86 GBP" in page
        assert client.post(f"{link}/leave", {"seating": own["seating"]}).status == 303
        assert "Thank you" in client.get(f"{link}/").text
        late = client.post(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "5"})
        assert late.status == 409
    transcript = office.ended["ann"][0]
    assert transcript.outcome.verdict.probabilities == (0.75, 0.25) and transcript.outcome.verdict.text == "so"
    acts = [event["action"] for event in transcript.events() if event["event"] == "acted"]
    assert acts.count("answered") == 1 and acts.index("shown") < acts.index("opened") < acts.index(
        "refused"
    ) < acts.index("answered")
    moved = next(event for event in transcript.events() if event["event"] == "moved" and event["seat"] == "judge")
    assert moved["reads"] == 13


def test_no_token_but_ones_own_leads_to_anything() -> None:
    """A play with marked secrets, and every answer of every route to every token: none of them holds one."""
    office = MemoryOffice({"ann": [debate(bound={"reads": 400})], "bob": [debate(bound={"reads": 400})], "eve": []})
    own, bob = office.people["ann"].token, office.people["bob"].token
    tokens = [
        "",
        "x",
        own[:-1],
        own + "0",
        own.upper() + "!",
        own.swapcase() if own.swapcase() != own else own[::-1],
        "a" * 4000,
        "%00",
        own + "%00",
        f"../{own}/x",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "ä",
        "\U0001f600",
        "../../../../etc/passwd",
    ]
    gets = [
        "",
        "state?v=none",
        "pays?turn=x",
        "transcript",
        "..",
        "../static/../app.py",
        "static/judge.css",
        "%2e%2e/%2e%2e/judging/app.py",
    ]
    posts = ["consent", "begin", "next", "leave", "present", "open", "look", "draft", "answer", "nothing"]
    answers = list[Reply]()
    with asking(office) as client:
        for who in ("ann", "bob"):
            begun(client, office.link(who))
        seats = {who: office.seatings[who] for who in ("ann", "bob")}
        turns = {who: seats[who].turn for who in seats}
        assert turns["ann"] is not None and turns["bob"] is not None
        other = {
            "seating": seats["bob"].id,
            "turn": turns["bob"].id,
            "kind": "verdict",
            "statement": "1",
            "f0-probabilities-1": "100",
            "here": "0",
        }
        for token in tokens:
            for path in gets:
                reply = client.get(f"/j/{token}/{path}")
                answers.append(reply)
                assert reply.status in (404, 429), (token, path, reply.status)
            for path in posts:
                reply = client.post(f"/j/{token}/{path}", other)
                answers.append(reply)
                assert reply.status in (404, 429), (token, path, reply.status)
        bodies = {each.text for each in answers if each.status == 404}
        assert len(bodies) == 1 and sum(each.status == 404 for each in answers) >= 20, "and all are told the same"
        for token in (own, office.people["eve"].token):
            for path in ("open", "look", "draft", "answer", "leave", "present"):
                reply = client.post(f"/j/{token}/{path}", other)
                answers.append(reply)
                assert reply.status == 404, (path, reply.status)
            answers += [client.get(f"/j/{token}/pays", other), client.get(f"/j/{token}/", other)]
        mixed = client.post(f"/j/{own}/answer", {**other, "seating": seats["ann"].id})
        answers.append(mixed)
        assert mixed.status == 409, "another's turn is none of one's own"
        answers += [client.get(f"/j/{each}/") for each in (own, bob)]
        answers += [client.get(f"/j/{each}/state?v=none") for each in (own, bob)]
        assert turns["bob"].waiting and turns["ann"].waiting and not turns["bob"].request.budget.reads
        for reply in answers:
            said = reply.text + str(reply.headers)
            for secret in ("SECRET", "truth", 'seat="a"', ">a<", ">b<", "a defends", "b defends", "Traceback"):
                assert secret not in said, (secret, reply.path, said)
        assert bob not in "".join(each.text for each in answers if own in str(each.path))


def test_nobody_begins_before_agreeing_and_looks_are_paid_for() -> None:
    item = Item(
        moot.Debate(rounds=1, judge_source="metered"),
        moot.Sample(QUESTION, truth=0),
        {"a": talks("x"), "b": talks("y")},
        NAMES,
        bound={"reads": 9},
    )
    office = MemoryOffice({"ann": [item]}, rules_of(consent="Agree?"))
    link = office.link("ann")
    with asking(office) as client:
        assert client.post(f"{link}/next", {"x": ""}).status == 303 and not office.seatings, "she has not agreed"
        client.post(f"{link}/consent", {"agree": "yes"})
        _, own = begun(client, link)
        reply = client.post(f"{link}/look", {**own, "at": "6:13"})
        assert (reply.status, reply.headers["location"]) == (303, f"{link}/#looks")
        page = client.get(f"{link}/").text
        assert "PASSAGE" in page and "2 of 9 characters left" in page
        page = client.post(f"{link}/look", {**own, "find": "the storm"}, follow=True).text
        assert "1 of 9 characters left" in page and "for a look 1 was" in page and "storm sank" not in page
        news = client.get(f"{link}/state?v=x").json()
        assert news["asking"] is None and news["meters"][0]["left"] == 1


def test_somebody_is_there_as_long_as_any_page_is_open_whatever_comes_in_late() -> None:
    office = MemoryOffice({"ann": [debate()]})
    link = office.link("ann")
    with asking(office) as client:
        assert client.post(f"{link}/next", {"x": ""}).status == 303
        eventually(lambda: office.seatings["ann"].turn is not None)
        page, turn = client.get(f"{link}/").text, office.seatings["ann"].turn
        own = fields(page)
        assert turn is not None and turn.present
        one, two = (re.findall(r'data-from="([^"]+)"', text)[0] for text in (page, client.get(f"{link}/").text))
        for here, which, there in (
            ("0", one, True),  # the other one is open
            ("0", two, False),
            ("state", one, False),  # it was asked before that page was closed
            ("1", one, True),  # it is shown again
            ("2", one, True),  # another page takes its place
            ("state", "three", True),
            ("0", "three", False),
            ("state", "", True),
        ):
            if here == "state":
                reply = client.get(f"{link}/state?v=&here=1&from={which}")
            else:
                reply = client.post(f"{link}/present", {**own, "here": here, "from": which})
            assert reply.status in (200, 204) and turn.present is there, (here, which)


def test_what_is_no_form_of_a_page_is_refused_and_nothing_fails() -> None:
    office = MemoryOffice({"ann": [debate(bound={"reads": 400})]})
    link = office.link("ann")
    with asking(office) as client:
        _, own = begun(client, link)
        turn = office.seatings["ann"].turn
        assert turn is not None
        send = client.post
        cases = {
            413: [send(f"{link}/draft", b"f0-text=" + b"x" * LARGEST)],
            415: [send(f"{link}/answer", b"{}", "application/json"), send(f"{link}/answer", b"--x", "multipart/form-data; boundary=x"), send(f"{link}/present", b"here=1", "")],
            403: [
                send(f"{link}/answer", own, origin=""),
                send(f"{link}/answer", own, origin="https://evil.example"),
                send(f"{link}/answer", own, origin="null"),
            ],
            400: [
                send(f"{link}/answer", {**own, "kind": "speech", "f0-text": "x"}),
                send(f"{link}/answer", {**own, "kind": "verdict", "f0-nothing": "x"}),
                send(f"{link}/answer", {**own, "kind": "verdict", "f9-text": "x"}),
                send(f"{link}/open", {**own, "statement": "-1"}), send(f"{link}/open", {**own, "statement": "99"}),
                send(f"{link}/open", {**own, "statement": "1e3"}), send(f"{link}/open", {**own, "statement": "9" * 5000}),
                send(f"{link}/open", {**own, "statement": "١"}), send(f"{link}/open", own), send(f"{link}/look", {**own, "find": "SECRET"}),
                send(f"{link}/answer", b"kind=%ff"),
                send(f"{link}/answer", b"&".join(b"a%d=1" % i for i in range(900))),
            ],
            404: [send(f"{link}/draft", {"turn": own["turn"]}), send(f"{link}/draft", {**own, "seating": "x"}), send(f"{link}/state", own), client.get(f"{link}/answer"), send(f"{link}/", own), client.get("/static")],
            405: [client.ask("PUT", f"{link}/answer", b"x"), client.ask("DELETE", f"{link}/")],
            409: [send(f"{link}/open", {**own, "turn": "x", "statement": "1"}), send(f"{link}/leave", own)],
            204: [send(f"{link}/draft", {**own, "turn": "x"})],
            422: [send(f"{link}/answer", {**own, "kind": "verdict"}), send(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "50\x00", "f0-probabilities-2": "50"})],
        }  # fmt: skip
        for status, replies in cases.items():
            for place, reply in enumerate(replies):
                assert reply.status == status, (status, place, reply.status, reply.text[-300:])
                assert "default-src 'none'" in reply.headers["content-security-policy"]
        assert turn.waiting and not turn.request.budget.reads
        for odd in ("nan", "1e999", "\x00", "x" * 3000):
            assert client.get(f"{link}/pays", {**own, "f0-probabilities-1": odd}).json()["rows"][0]["points"] == "–"


def test_a_person_whose_time_is_over_is_told_so_and_gives_nothing_more() -> None:
    office = MemoryOffice({"ann": [debate(bound={"seconds": 0.3})]})
    link = office.link("ann")
    with asking(office) as client:
        page, own = begun(client, link)
        assert "0:00 of 0:00 left" in page
        seating = office.seatings["ann"]
        eventually(lambda: seating.ended is not None)
        assert seating.ended == "exhausted" and "was used up" in client.get(f"{link}/").text
        late = client.post(f"{link}/answer", {**own, "kind": "verdict", "f0-probabilities-1": "75"})
        assert late.status == 409
        assert client.get(f"{link}/state?v=x").json()["page"].endswith("exhausted")


def test_a_question_that_costs_more_than_there_is_ends_the_play_as_it_does_for_a_model() -> None:
    question = moot.Question("What sank the ships?", ("the storm", "the admiral"), passage=99 * "PASSAGE")
    protocol = moot.Debate(rounds=1, judge_source="all")
    item = Item(protocol, moot.Sample(question, truth=0), {"a": talks("x"), "b": talks("y")}, NAMES, bound={"reads": 9})
    office = MemoryOffice({"ann": [item]})
    link = office.link("ann")
    with asking(office) as client:
        assert client.post(f"{link}/next", {"x": ""}).status == 303
        eventually(lambda: office.seatings["ann"].turn is not None)
        page = client.get(f"{link}/").text
        assert "cannot be shown" in page and "PASSAGE" not in page
        eventually(lambda: office.seatings["ann"].ended == "exhausted")
        assert 'action="leave"' in client.get(f"{link}/").text


def test_what_cannot_be_written_was_not_done_and_the_play_ends_there() -> None:
    office = MemoryOffice({"ann": [debate(), debate()]})
    link = office.link("ann")

    def full(event: dict[str, Any]) -> None:
        raise TranscriptError("no room")

    with asking(office) as client:
        _, own = begun(client, link)
        seating = office.seatings["ann"]
        assert seating.turn is not None
        seating.turn.request.note = full
        given = {**own, "kind": "verdict", "f0-probabilities-1": "75", "f0-probabilities-2": ""}
        assert client.post(f"{link}/answer", given).status == 503
        eventually(lambda: seating.ended is not None)
        assert seating.ended == "errored" and "could not be played to its end" in client.get(f"{link}/").text
        assert client.post(f"{link}/leave", {"seating": own["seating"]}).status == 303
        begun(client, link)
