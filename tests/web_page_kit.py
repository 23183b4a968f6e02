"""Plays as the plain data that their page is drawn from, made small and made large, and a server for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from moot.web.server.guard import Guarded
from moot.web.server.pages import data, page, static
from moot.web.viewer.fold import view_of

GOLDEN = Path(__file__).parent / "golden"
Whole = dict[str, Any]


def recorded(name: str, private: bool = True) -> Whole:
    """A recorded play, whole."""
    view = view_of(GOLDEN / f"{name}.jsonl", private)
    return {"head": view.head(), "tree": view.tree(), "scenes": view.scenes(0, len(view))}


def scene(index: int, step: str, seat: str, text: str, /, **more: Any) -> dict[str, Any]:
    """A scene of a speech."""
    return {
        "i": index, "step": step, "seat": seat, "kind": "speech", "head": "", "heading": "", "defends": None, "rule": None, "remark": None,
        "note": None, "private": None, "extra": "", "at": None, "reads": 3, "under": None, "relation": None, "beliefs": [], "choices": [], "asides": [],
        "pieces": [{"text": text, "quote": False, "verified": None, "at": None}], **more,
    }  # fmt: skip


def whole(scenes: list[dict[str, Any]], parents: list[int] | None = None, **head: Any) -> Whole:
    """A play of these scenes. parents: of each scene's node in the tree, where 0 is the question and 1 the first scene."""
    n, parents = len(scenes), [0] * len(scenes) if parents is None else parents
    return {
        "head": {
            "name": "made.jsonl", "question": "Who sank the fleet?", "choices": ["a storm", "the admiral"], "about": None,
            "passage": None, "data": None, "images": [], "setting": "debate; seed 0",
            "seats": [{"seat": seat, "role": "debater", "who": "a program", "defends": None, "bound": None, "notes": []} for seat in ("a", "b", "judge")],
            "outcome": None, "verdict": None, "truth": None, "right": None, "judge": "judge", "guarantee": {
                "holds": None, "class": None, "measure": "judge reads", "used": None, "budget": 3 * n, "polynomial": None, "n": 4, "because": None, "assumes": []},
            "ledger": {"unit": "words", "n": 4, "columns": ["seat", "reads"], "rows": [["judge", None]], "tree": {"nodes": n + 1}, "budgets": []},
            "charts": [], "parent": None, "digest": "0" * 64, "ended": True, "events": n, "state": str(n),
            "steps": {"step": [each["step"] for each in scenes], "seat": [each["seat"] for each in scenes], "kind": [each["kind"] for each in scenes],
                      "heading": [""] * n, "together": [None] * n, "spent": [3 * at for at in range(n)]},
            **head,
        },
        "scenes": scenes,
        "tree": {
            "id": ["q", *(each["step"] for each in scenes)], "parent": [-1, *parents], "seat": [None, *(each["seat"] for each in scenes)],
            "kind": ["question", *(each["kind"] for each in scenes)], "relation": [None, *["supports"] * n],
            "text": ["Who sank the fleet?", *("".join(piece["text"] for piece in each["pieces"])[:160] for each in scenes)],
            "size": [19, *[7] * n], "budget": [None, *[5] * n], "judged": [1, *(int(at == n - 1) for at in range(n))],
            "scene": [-1, *range(n)], "cites": {},
        },
    }  # fmt: skip


def large(shape: str, n: int = 10_000) -> Whole:
    """A play whose argument tree has n nodes: "random", "star" or "chain"."""
    draw = random.Random(0)
    parents: Callable[[int], int] = {
        "star": lambda at: 0,
        "chain": lambda at: at,
        "random": lambda at: draw.randrange(max(0, at - 40), at + 1),
    }[shape]
    scenes = [scene(at, str(at), "ab"[at % 2], f"word{at} of {n}") for at in range(n - 1)]
    return whole(scenes, [parents(at) for at in range(n - 1)])


def app(plays: Mapping[str, Callable[[], Whole]]) -> Any:
    """A server for such plays, each made anew for every request, as one that is running is."""

    def of(asked: Request) -> Whole:
        return plays[asked.path_params["id"]]()

    async def shown(asked: Request) -> Response:
        return page("play.html", base="/", id=asked.path_params["id"], name=of(asked)["head"]["name"])

    async def part(asked: Request) -> Response:
        name, found = asked.path_params["part"], of(asked)
        if name == "scenes":
            start, end = int(asked.query_params["from"]), int(asked.query_params["to"])
            assert end - start <= 100
            return data(found["scenes"][start:end])
        return data({"state": found["head"]["state"]} if name == "state" else found[name])

    routes = [Route("/play/{id}", shown), Route("/play/{id}/{part}", part), Mount("/static", static())]
    return Guarded(Starlette(routes=routes), most=1000)
