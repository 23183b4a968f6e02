"""The graph of a million questions: memory at its peak, a question, and time against networkx."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.timing import Row, best

_MEMORY = """
import re, sys
from moot.complexity.questions import QuestionGraph
from moot.tasks.arithmetic.sums import Sum
def peak():  # of this process alone; ru_maxrss would include its parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) * 1024
before = peak()
{code}
assert graph.unique == 999_999 and graph.well_founded and graph.tree == {tree}
print((peak() - before) / graph.unique)
"""

_RULE = "n = 500_000; graph = QuestionGraph.of_rule(Sum(), [1] * n, f'sum[0:{n}]')"

_PLAY = """
graph = QuestionGraph()
for number in range(999_998):
    graph.asked(f"question {number}", [f"question {number + 1}"])
for number in reversed(range(999_999)):
    graph.answered(f"question {number}", "yes")
"""


def rows() -> Iterator[Row]:
    for name, code in (("a sum of 500,000, by its rule", _RULE), ("a chain of a million, top down", _PLAY)):
        script = _MEMORY.replace("{code}", code).replace("{tree}", "999_999")
        done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
        yield Row(f"peak memory a question, {name}", float(done.stdout), 1024, "bytes", "999,999 questions")

    import networkx as nx

    from moot.complexity.questions import QuestionGraph

    pairs = [(f"question {number // 2}", f"question {number}") for number in range(1, 50_000)]

    def counters() -> object:
        graph = QuestionGraph()
        for question, part in pairs:
            graph.asked(question, (part,))
        return graph.depth

    def drawn() -> object:
        graph: nx.DiGraph[str] = nx.DiGraph()
        for question, part in pairs:
            graph.add_edge(question, part)
        return nx.dag_longest_path_length(graph)

    ours, theirs = best(counters, drawn, repeats=3)
    detail = f"50,000 questions; networkx {theirs:.2f} s"
    yield Row("counters kept and read, against networkx", ours / theirs, 1.0, "×", detail)
