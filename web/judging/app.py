"""The pages of a person who judges, by the address that holds their token.

Rule of this file: who may do what, and when. A token acts on its own seating and on no other; whatever is wrong with a token, the answer is the
same. What is shown is made in `screens.py`, and what is charged in `paper.py`.
"""

from __future__ import annotations

import secrets
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request as Asked
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route

from moot.protocols.engine.errors import Illegal, TranscriptError
from moot.protocols.engine.moves import Move
from moot.protocols.text import one_line
from moot.web.judging import forms, screens
from moot.web.judging.paper import Paper
from moot.web.judging.seating import Seating
from moot.web.server import pages
from moot.web.server.guard import LOOPBACK, Bucket, Guarded, Refused

if TYPE_CHECKING:
    from moot.web.judging.office import Office
    from moot.web.judging.work.people import Person

POLL = 8.0
"""Seconds that a page waits for news before it asks again; well below those after which it counts as closed."""
TICK = 1.0
_TURN = ("seating", "turn", "kind", "statement", "at", "find", "around")
"""Fields of the form of a turn besides those of moves."""


class Over(Exception):
    """What came is for a turn that takes no answer any more."""


def judging(
    office: Office, hosts: Iterable[str] = LOOPBACK, origins: Collection[str] = (), most: float = 50
) -> Guarded:
    """The application: all pages of an office, behind its guard. hosts, origins, most: as of `Guarded`."""
    return Guarded(Judging(office).app(), hosts, origins, most)


class Judging:
    """The pages of an office. papers: by person, the turn that they were shown last; known: ids of seatings by person, the latest ones; given: what was
    answered by seating and step, as long as the server runs; here, gone: by person, the pages that are open, and those that were closed or hidden last,
    by the name that each was given."""

    def __init__(self, office: Office) -> None:
        self.office, self.wrong = office, Bucket(0.5, 20)
        self.papers: dict[str, Paper] = {}
        self.known: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=1000))
        self.given: dict[str, dict[str, Move]] = defaultdict(dict)
        self.here: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=50))
        self.gone: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=50))
        self.gets = {"": self.page, "state": self.state, "pays": self.pays}
        self.posts = {
            "consent": self.consent, "begin": self.begin, "next": self.next, "leave": self.leave, "present": self.present,
            "open": self.open, "look": self.look, "draft": self.draft, "answer": self.answer,
        }  # fmt: skip

    def app(self) -> Starlette:
        """The application, without its guard."""
        methods = ["GET", "POST"]
        routes = [
            Mount("/static", pages.static()), Route("/j/{token}/{action:path}", self._do, methods=methods),
            Route("/j/{token}", self._do, methods=methods),
        ]  # fmt: skip
        handlers: Any = {
            HTTPException: _nothing,
            Refused: _refused,
            Over: _over,
            Illegal: _illegal,
            OSError: _unwritten,
            TranscriptError: _unwritten,
        }
        made = Starlette(routes=routes, exception_handlers=handlers)
        made.router.redirect_slashes = False  # to addresses that a proxy is not known by
        return made

    async def _do(self, asked: Asked) -> Response:
        """Whatever is asked for, for whoever has the token."""
        token, action = asked.path_params["token"], asked.path_params.get("action", "")
        person = self.office.person(token)
        if person is None:
            client = asked.client.host if asked.client else ""
            if not self.wrong.take(client):
                raise Refused(429, "too many requests; wait a moment")
            raise HTTPException(404)
        does: Mapping[str, Callable[[Person, Asked], Awaitable[Response]]] = (
            self.posts if asked.method == "POST" else self.gets
        )
        if action not in does:
            raise HTTPException(404)
        if "action" not in asked.path_params:
            return self._back(person) if asked.method != "POST" else await _nothing(asked, HTTPException(404))
        return await does[action](person, asked)

    # -- pages ---------------------------------------------------------------------------------------------------------

    async def page(self, person: Person, asked: Asked) -> Response:
        """What there is for the person now."""
        return self._page(person)

    def _page(self, person: Person, problems: dict[str, str] | None = None, status: int = 200) -> Response:
        office, stage, seating = self.office, self.office.stage(person), self._seating(person)
        rules = office.rules
        given: dict[str, Any] = {
            "study": office.name, "person": person.id, "stage": stage, "key": self._key(person), "progress": office.progress(person),
            "pay": rules.pay, "seating": seating, "stops": rules.away == "stops", "opened": secrets.token_urlsafe(6),
        }  # fmt: skip
        if stage in ("consent", "instructions"):
            text = rules.consent if stage == "consent" else rules.instructions
            return pages.page(f"judge/{stage}.html", status, text=pages.markdown(text or ""), **given)
        if seating is None:
            return pages.page(f"judge/{stage if stage in ('done', 'wait') else 'start'}.html", status, **given)
        if seating.ended is not None or seating.problem is not None:
            return pages.page(
                "judge/ended.html", status, ended=screens.ENDED.get(seating.ended or "", "This one could not be played to its end."),
                feedback=screens.feedback(office.feedback(person, seating), rules), **given,
            )  # fmt: skip
        self._present(person, seating, given["opened"], True)
        paper = self._paper(seating)
        if paper is None:
            return pages.page("judge/waiting.html", status, heard=_heard(seating), **given)
        shown = screens.turn(paper, seating, rules, screens.gone_on(paper, self.given[seating.id]), problems)
        return pages.page("judge/turn.html", status, **{**given, **shown})

    async def state(self, person: Person, asked: Asked) -> Response:
        """What has changed since a page was made: at once where something has, else when it does, or after a while."""
        since, seating = asked.query_params.get("v", ""), self._seating(person)
        opened = asked.query_params.get("from", "")
        if (
            asked.query_params.get("here") == "1" and opened not in self.gone[person.id]
        ):  # not asked before that page was closed
            self._present(person, seating, opened, True)  # once: a page that is hidden meanwhile says so itself
        with anyio.move_on_after(POLL):
            while self._version(person) == since:
                await (anyio.sleep(TICK) if seating is None else seating.wait(seating.version, TICK))
                seating = self._seating(person)
        paper = None if seating is None else self._paper(seating)
        return pages.data({
            "v": self._version(person), "page": self._key(person), "asking": None if seating is None else seating.asking,
            "heard": [] if seating is None else _heard(seating), "meters": [] if paper is None else screens.meters(paper),
        })  # fmt: skip

    async def pays(self, person: Person, asked: Asked) -> Response:
        """What the belief that is filled in would pay; nothing for a turn that was answered while the page asked."""
        try:
            seating, paper = self._turn(
                person, asked.query_params.get("seating", ""), asked.query_params.get("turn", "")
            )
        except Over:
            return pages.data({"rows": []})
        given = {name: [value] for name, value in asked.query_params.items() if name not in ("seating", "turn")}
        self._check(paper, given)
        gone = screens.gone_on(paper, self.given[seating.id])
        shown = screens.payment(paper, seating, self.office.rules, gone, given)
        if shown is None:
            raise HTTPException(404)
        return pages.data({"rows": shown["rows"]})

    # -- what a person does --------------------------------------------------------------------------------------------

    async def consent(self, person: Person, asked: Asked) -> Response:
        """They agree to take part."""
        given = await pages.form(asked)
        if given.get("agree") != ["yes"]:
            raise Refused(400, "nobody goes on without agreeing")
        if self.office.stage(person) == "consent":
            self.office.consent(person)
        return self._back(person)

    async def begin(self, person: Person, asked: Asked) -> Response:
        """They have read the instructions."""
        await pages.form(asked)
        if self.office.stage(person) == "instructions":
            self.office.read_instructions(person)
        return self._back(person)

    async def next(self, person: Person, asked: Asked) -> Response:
        """They are ready for what is next."""
        await pages.form(asked)
        if self.office.stage(person) in ("practice", "work", "wait"):
            await self.office.next(person)
        return self._back(person)

    async def leave(self, person: Person, asked: Asked) -> Response:
        """They have seen that a play of theirs has ended."""
        given, seating = await pages.form(asked), self._seating(person)
        if _one(given, "seating") not in self.known[person.id]:
            raise HTTPException(404)
        if (
            seating is None
            or seating.id != _one(given, "seating")
            or (seating.ended is None and seating.problem is None)
        ):
            raise Over
        self.given.pop(seating.id, None)
        self.office.leave(person, seating)
        return self._back(person)

    async def present(self, person: Person, asked: Asked) -> Response:
        """A page of theirs is open, or is not any more."""
        given, seating = await pages.form(asked), self._seating(person)
        if _one(given, "seating") not in self.known[person.id]:
            raise HTTPException(404)
        if seating is not None and seating.id == _one(given, "seating"):
            self._present(
                person, seating, _one(given, "from")[:64], _one(given, "here") == "1", _one(given, "here") == "2"
            )
        return Response(status_code=204)

    def _present(self, person: Person, seating: Seating | None, opened: str, here: bool, follows: bool = False) -> None:
        """A page is open, or is not any more; somebody is there as long as any is. follows: another one takes its place."""
        pages_here, gone = self.here[person.id], self.gone[person.id]
        for each in (pages_here, gone):
            if opened in each:
                each.remove(opened)
        (pages_here if here else gone).append(opened)
        if follows:
            return
        if seating is not None and seating.ended is None:
            self.office.present(person, seating, bool(pages_here))

    async def open(self, person: Person, asked: Asked) -> Response:
        """They open a statement, or all."""
        given, _, paper = await self._given(person, asked)
        number = _one(given, "statement")
        if number == "all":
            paper.open_all()
        elif number.isascii() and number.isdecimal() and len(number) < 10:
            paper.open(int(number))
        else:
            raise Refused(400, "statement is the number of one, or all")
        return self._back(person, "#said" if number == "all" else f"#s{int(number)}")

    async def look(self, person: Person, asked: Asked) -> Response:
        """They look at places of the source, or search it."""
        given, _, paper = await self._given(person, asked)
        around = _one(given, "around").strip()
        at = [] if around else [each.strip() for each in _one(given, "at").split(";") if each.strip()]
        paper.look(at, around or _one(given, "find").strip() or None)
        return self._back(person, "#looks")

    async def draft(self, person: Person, asked: Asked) -> Response:
        """What is filled in so far. One that comes in after its turn was answered, as a page sends them by itself, is passed over."""
        with suppress(Over):
            await self._given(person, asked)
        return Response(status_code=204)

    async def answer(self, person: Person, asked: Asked) -> Response:
        """They give a move."""
        given, seating, paper = await self._given(person, asked, keep=False)
        sheets = [] if paper.question is None else forms.sheets(paper.request, paper.texts)
        sheet = next((each for each in sheets if each.name == _one(given, "kind")), None)
        if sheet is None:
            raise Refused(400, f"{one_line(_one(given, 'kind'), 80)!r} is nothing that may be given here")
        read = forms.read(sheet, given, paper.request, paper.texts)
        if isinstance(read, dict):
            paper.save({name: values for name, values in given.items() if name not in _TURN})
            return self._page(person, read, 422)
        if not paper.answer(read):
            raise Over
        self.given[seating.id][paper.request.step] = read
        return self._back(person)

    # -- what all of them need -----------------------------------------------------------------------------------------

    async def _given(
        self, person: Person, asked: Asked, keep: bool = True
    ) -> tuple[dict[str, list[str]], Seating, Paper]:
        """The form of a turn, the seating and the turn; what is filled in is kept, where `keep`. Raises Refused, Over, and 404 for another's."""
        given = await pages.form(asked)
        seating, paper = self._turn(person, _one(given, "seating"), _one(given, "turn"))
        fields = {name: values for name, values in given.items() if name not in _TURN}
        self._check(paper, fields)
        if keep:
            paper.save(fields)
        return given, seating, paper

    def _turn(self, person: Person, seating_id: str, turn_id: str) -> tuple[Seating, Paper]:
        seating = self._seating(person)
        if seating_id not in self.known[person.id]:
            raise HTTPException(404)
        paper = self._paper(seating) if seating is not None and seating.id == seating_id else None
        if seating is None or paper is None or paper.turn.id != turn_id:
            raise Over
        return seating, paper

    def _check(self, paper: Paper, given: Collection[str]) -> None:
        sheets = [] if paper.question is None else forms.sheets(paper.request, paper.texts)
        known = {each for sheet in sheets for field in sheet.fields for each in field.inputs}
        if unknown := next((name for name in given if name not in known), None):
            raise Refused(400, f"{one_line(unknown, 80)!r} is no field of this form")

    def _seating(self, person: Person) -> Seating | None:
        seating = self.office.seating(person)
        if seating is not None and seating.id not in self.known[person.id]:
            self.known[person.id].append(seating.id)
        return seating

    def _paper(self, seating: Seating) -> Paper | None:
        turn = seating.turn
        if turn is None or seating.ended is not None:
            return None
        paper = self.papers.get(seating.person)
        if paper is None or paper.turn is not turn:
            paper = self.papers[seating.person] = Paper(turn, seating.names, self.office.rules.opening)
            paper.shown()
        return paper

    def _key(self, person: Person) -> str:
        """What a page is of: where this changes, it is another page."""
        seating = self._seating(person)
        stage = self.office.stage(person)
        if seating is None:
            return stage
        turn = seating.turn
        return f"{stage} {seating.id} {turn.id if turn is not None else ''} {seating.ended or ''}{'!' if seating.problem else ''}"

    def _version(self, person: Person) -> str:
        seating = self._seating(person)
        return f"{self._key(person)} {0 if seating is None else seating.version}"

    def _back(self, person: Person, where: str = "") -> Response:
        return RedirectResponse(f"{self.office.link(person.id)}/{where}", 303)


def _one(given: dict[str, list[str]], name: str) -> str:
    return given.get(name, [""])[0]


def _heard(seating: Seating) -> list[dict[str, Any]]:
    """Who has spoken, and how often."""
    counts: dict[str, int] = {}
    for each in seating.heard:
        counts[each.who] = counts.get(each.who, 0) + 1
    return [{"who": who, "count": count} for who, count in counts.items()]


async def _nothing(asked: Asked, problem: Exception) -> Response:
    return pages.page(
        "judge/problem.html",
        404,
        title="There is no such page",
        why="Check the address that you were given.",
        back=None,
    )


async def _refused(asked: Asked, problem: Exception) -> Response:
    assert isinstance(problem, Refused)
    return pages.page(
        "judge/problem.html",
        problem.status_code,
        title="That was not taken",
        why=f"{problem.detail.strip()}.",
        back="./",
    )


async def _illegal(asked: Asked, problem: Exception) -> Response:
    return pages.page("judge/problem.html", 400, title="That was not taken", why=f"{problem}.", back="./")


async def _over(asked: Asked, problem: Exception) -> Response:
    why = "This turn was answered already, perhaps in another window, or it is over. Nothing was changed by what you sent now."
    return pages.page("judge/problem.html", 409, title="Already answered", why=why, back="./")


async def _unwritten(asked: Asked, problem: Exception) -> Response:
    why = "It could not be written down, so it was not done. Please try again in a moment, and tell those who run this."
    return pages.page("judge/problem.html", 503, title="That was not taken", why=why, back="./")
