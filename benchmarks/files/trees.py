"""Argument trees: memory of a million nodes, and time against the same graph built in bare networkx; the folds of many sub-plays."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

from benchmarks.timing import Row, best

NODES = 1_000_000
SHAPES = {
    "two answers to each statement": "i // 2 - 1",
    "all under the question": "-1",
    "each under the one before": "i - 1",
}

_MEMORY = """
import re
from benchmarks.files.trees import events
from moot.transcripts.tree import argument_tree
def peak():  # of this process alone; ru_maxrss would include its parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
argument_tree(events(10)); before = peak()
tree = argument_tree(events({nodes}, lambda i: {under}))
assert len(tree) == {nodes} + 1
print((peak() - before) / {nodes})
"""


def events(nodes: int, under: Any = lambda i: i // 2 - 1) -> Iterator[dict[str, Any]]:
    """The events of a play of so many statements. under: from the number of one to that of what it answers, the question below 0."""
    yield {"event": "started", "protocol": {"name": "debate", "params": {}}, "roles": {"a": "debater", "b": "debater"},
           "question": {"text": "Who?", "choices": ["x", "y"], "size": 4}, "meta": {}}  # fmt: skip
    for i in range(nodes):
        move, parent = {"kind": "speech", "text": f"words {i}", "quotes": []}, under(i)
        yield {"event": "moved", "step": str(i), "seat": "ab"[i % 2], "request": "", "move": move,
               "under": "q" if parent < 0 else str(parent), "relation": "supports", "size": 9, "meta": {}}  # fmt: skip


def rows() -> Iterator[Row]:
    for name, under in SHAPES.items():
        script = _MEMORY.replace("{nodes}", str(NODES)).replace("{under}", under)
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        yield Row(f"peak memory a node of an argument tree, {name}", float(done.stdout), 700, "bytes", f"{NODES:,} nodes, their texts among it")  # fmt: skip

    import networkx as nx

    from moot.transcripts.tree import argument_tree

    said = list(events(100_000))

    def drawn() -> object:
        graph: nx.DiGraph[str] = nx.DiGraph()
        graph.add_node("q", kind="question", text="Who?", size=4)
        for event in said[1:]:
            step, move = event["step"], event["move"]
            graph.add_node(step, seat=event["seat"], role="debater", kind=move["kind"], text=move["text"], size=event["size"])  # fmt: skip
            graph.add_edge(event["under"], step, relation=event["relation"])
        return nx.freeze(graph)

    ours, theirs = best(lambda: argument_tree(said), drawn, repeats=5)
    yield Row("an argument tree against the same graph in bare networkx", ours / theirs, 1.3, "×", f"100,000 nodes; networkx {theirs:.2f} s")  # fmt: skip
