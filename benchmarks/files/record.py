"""What a recorded debate between models takes on the disk, for each generation: plain, and sealed."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import moot
from benchmarks.calls import QUESTION, ROUNDS, seats
from benchmarks.timing import Row
from moot.transcripts.events import PLAYED, played_part
from moot.transcripts.seal import seal

_HASH = re.compile(rb'"[0-9a-f]{32}"')


def rows() -> Iterator[Row]:
    from moot.testing.server.server import MockOpenAI

    mock = MockOpenAI()
    lm = seats(base_url="http://mock/v1", http_client=mock.http_client())
    with tempfile.TemporaryDirectory() as folder:
        play = moot.run(moot.Debate(rounds=ROUNDS), QUESTION, lm, out=Path(folder) / "d.jsonl")
        assert isinstance(play.outcome, moot.Decided) and len(mock.calls) == (calls := 2 * ROUNDS)
        lines = list(play.lines())
        # What no line can be without: the play, which the digest covers; each answer as it came; a chain value a line.
        events = [json.loads(line) for line in lines]
        digest = sum(
            len(played_part(line)) for line, event in zip(lines, events, strict=True) if event["event"] in PLAYED
        )
        said = sum(
            len(json.dumps(event["text"], ensure_ascii=False)) for event in events if event["event"] == "answered"
        )
        chain, rest = 45 * len(lines), sum(map(len, lines))
        floor = f"the play {digest / calls:.0f}, raw answers {said / calls:.0f}, chain {chain / calls:.0f}, all else "
        yield Row("bytes a generation of a debate between models, plain", rest / calls, 800, "bytes",
                  f"{floor}{(rest - digest - said - chain) / calls:.0f}")  # fmt: skip
        hashes = sum(len(_HASH.findall(line)) for line in lines) * 16
        sealed = seal(play.file).stat().st_size
        yield Row("bytes a generation of the same, sealed", sealed / calls, 518, "bytes",
                  f"{hashes / calls:.0f} of them are hashes, which nothing makes shorter")  # fmt: skip
