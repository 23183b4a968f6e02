"""One scenario of `cluster_kit` on a Ray cluster of this machine, in a process of its own: python ray_child.py SCENARIO FOLDER"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import cluster_kit as kit


def main(scenario: str, folder: Path) -> None:
    told: dict[str, object]
    if scenario == "same":
        made = kit.study(6).rejudge(kit.Judge(0.9))
        made.run(folder / "here")
        progress = made.run(folder / "there", executor="ray", workers=2, limit=4)
        told = {
            "complete": progress.complete,
            "same": kit.rows(made, folder / "here") == kit.rows(made, folder / "there"),
        }
    elif scenario == "killed":
        progress, watched = kit.killed_in_the_middle(folder / "s", "ray")
        told = {"complete": progress.complete, "resumed": progress.how["resumed"], "repeated": len(watched.repeated),
                "answered": len(watched.answered)}  # fmt: skip
    elif scenario == "stormed":
        progress, watched = kit.stormed(folder / "s", "ray")
        told = {"complete": progress.complete, "times": sorted(set(map(len, watched.answered.values())))}
    else:
        progress, spent, after = kit.capped(folder / "s", "ray", 2.5)
        told = {"stopped": progress.stopped, "spent": spent, "complete": after.complete}
    print(json.dumps({**told, "home": sorted(os.listdir(os.environ["HOME"]))}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
