"""How soon a table learns the five tasks of Christiano, Shlegeris and Amodei 2018 from the rules alone, at the paper's size.

The table starts with "?" everywhere; each sweep sets every answer to what the rule makes of the table's own answers and of
the environment's look-ups. No true answer is used until the end, where the table is compared with the truth.

    python -m benchmarks.sweeps
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from random import Random

from benchmarks.timing import Row
from moot.tasks.base import task_named
from moot.tasks.curriculum import CurriculumTask, sweep

NAMES = (
    "perm-power",
    "assignments",
    "assignments-sum",
    "wildcard",
    "shortest-path-published",
    "union-find-published",
)
SIZE, INSTANCES = 64, 3


def rows() -> Iterator[Row]:
    for name in NAMES:
        task = task_named(name)
        assert isinstance(task, CurriculumTask)
        right, questions, seconds, sweeps = 0, 0, 0.0, []
        for seed in range(INSTANCES):
            data = task.data(SIZE, Random(seed))
            known: dict[str, str] = {}
            looked: dict[str, str] = {}
            count, begun = 0, time.process_time()
            while (after := sweep(task, data, known, looked)) != known:
                known, count = after, count + 1
            seconds += time.process_time() - begun
            sweeps.append(count)
            questions += len(known)
            right += sum(answer == task.truth(data, text) for text, answer in known.items())
        detail = (
            f"{questions // INSTANCES} questions; {min(sweeps)} to {max(sweeps)} sweeps, {seconds / INSTANCES:.2f} s"
        )
        yield Row(f"{name}: wrong at the end", 100 * (1 - right / questions), 1, "%", detail)


if __name__ == "__main__":
    for row in rows():
        print(f"{row.name:45} {row.measured:5.2f} {row.unit}   {row.detail}")
