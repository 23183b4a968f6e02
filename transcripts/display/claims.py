"""Which claims of a play rest on which: a fold over events, for recursive debates and argument trees.

Rule of this file: graphs, not text; a claim is whatever says which steps it cites.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moot.complexity.play import Play
from moot.protocols.engine.moves import Move
from moot.protocols.recorded import import_moves_of, recorded_move

if TYPE_CHECKING:
    import networkx


def citation_graph(transcript: Play) -> networkx.DiGraph[str]:
    """The claims of a play by their steps, with an edge from each to every earlier claim that it cites; so without a circle.
    Node attributes: seat, text, to (what it stands under, "q" for the question), relation, missing (cited ids of no claim)."""
    import networkx

    import_moves_of(transcript.started["protocol"]["name"])
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for event in transcript.events():
        move = recorded_move(event["move"]) if event["event"] == "moved" and "under" in event else None
        if move is None or type(move).steps_cited is Move.steps_cited:
            continue
        step, data = event["step"], event["move"]
        place = {"seat": event["seat"], "to": event["under"], "relation": event["relation"]}
        graph.add_node(step, text=data.get("text") or move.in_words(), missing=data.get("missing", ()), **place)
        graph.add_edges_from((step, cited) for cited in move.steps_cited())
    return graph


def support_circle(transcript: Play) -> tuple[str, ...]:
    """Claims that rest on themselves: each is supported by the next, or cites it, and the last leads back to the first;
    () when there are none. A claim that speaks for another one and cites it makes the least of such circles."""
    import networkx

    cited = citation_graph(transcript)
    graph: Any = networkx.DiGraph(cited.edges)
    places = cited.nodes(data=True)
    graph.add_edges_from((it["to"], step) for step, it in places if it["relation"] == "supports" and it["to"] != "q")
    try:
        return tuple(start for start, _ in networkx.find_cycle(graph))
    except networkx.NetworkXNoCycle:
        return ()


def responses(transcript: Play) -> dict[str, dict[str, str]]:
    """The last thing that each seat says to each claim ("q": the question), by step: {"4": {"b": "main objection"}}."""
    found: dict[str, dict[str, str]] = {}
    for event in transcript.events():
        move = event["move"] if event["event"] == "moved" else {}
        if move.get("kind") in ("response", "reaction") and move["label"]:
            found.setdefault(move["to"], {})[event["seat"]] = move["label"]
    return found
