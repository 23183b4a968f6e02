"""The reading verbs: `show`, `tree`, `cost`, `verify`, `replay`, `export`, `list`.

Rule of this file: none of them changes a transcript, and none calls anyone, but for an anchor that is asked to score.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from moot.agents.people.terminal import coloured, document
from moot.cli import frame
from moot.protocols.engine.errors import TranscriptError, UsageError

if TYPE_CHECKING:
    from moot.agents.money.bill import Line
    from moot.complexity.pressure.ledger import Pressure
    from moot.transcripts.exporters.base import Exporter
    from moot.transcripts.transcript import Transcript

Width = Annotated[int | None, typer.Option("--width", min=20, metavar="N", help="Columns; the terminal's unless given.")]  # fmt: skip
To = Annotated[Path | None, typer.Option("-o", "--out", metavar="FILE", help="Write to this file and not to stdout.")]


def show(
    path: frame.TranscriptPath,
    width: Width = None,
    private: Annotated[bool, typer.Option(
        "--private", help="Also what no seat was shown: thoughts, raw answers, notes, private fields of moves.")] = False,
    asked: Annotated[str | None, typer.Option(
        "--asked", metavar="STEP", help="Print what was shown at this step besides what had been said, and the prompts that were sent, where they were recorded.")] = None,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Print a transcript as people like to read one."""
    from moot.transcripts.display.private import (
        asked_at,
        private_events,
        prompt_lines,
        public,
        shown_at,
        shown_lines,
        without_notes,
    )

    transcript = frame.opened(path)
    if asked is not None:
        seen = shown_at(transcript, asked)
        sent = asked_at(transcript, asked, seen is not None)
        if json:
            frame.tell_json(
                {"path": str(path), "step": asked, "prompts": sent, **({} if seen is None else {"shown": seen})}
            )
        else:
            frame.tell("\n".join((*(shown_lines(seen) if seen else ()), *prompt_lines(sent))))
        return
    if json:
        names = ("step", "seat", "move", "under", "relation", "size", "reads")
        steps = [{name: getattr(step, name) for name in names} for step in transcript.steps()]
        if not private:
            steps = [{**step, "move": public(step["move"])} for step in steps]
        seats = transcript.seats if private else without_notes(transcript.seats)
        kept = {"private": list(private_events(transcript))} if private else {}
        frame.tell_json({**frame.brief_of(transcript), "roles": transcript.started["roles"], "seats": seats,
                   "bounds": transcript.bounds, "steps": steps, **kept})  # fmt: skip
        return
    from moot.transcripts.display.show import as_text

    frame.tell(as_text(transcript, width or frame.columns(), coloured(), private), end="", styled=True)


def _exporter(form: str) -> Exporter:
    from moot.protocols.engine.registry import find

    exporter: Exporter = find("exporter", form)()
    return exporter


def tree(
    path: frame.TranscriptPath,
    form: Annotated[str, typer.Option(
        "--format", "-f", metavar="FORM", help="text, json, dot, mermaid, graphml, or a plug-in's.")] = "text",
    width: Width = None,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Print the argument tree of a transcript."""
    transcript = frame.opened(path)
    if json:
        form = "json"
    if form == "text":
        from moot.transcripts.display.show import tree_text

        frame.tell(tree_text(transcript.tree, width or frame.columns()), end="")
        return
    from moot.transcripts.exporters.document import TreeExporter

    exporter = _exporter(form)
    if not isinstance(exporter, TreeExporter):
        raise UsageError(f"--format {form} is no form of a tree; moot export writes it")
    document(exporter.text(transcript).rstrip("\n").encode() + b"\n")


def export(
    path: frame.TranscriptPath,
    form: Annotated[str, typer.Option(
        "--format", "--to", "-f", metavar="FORM",
        help="html (a page that opens from a disk), json, dot, mermaid, graphml (the tree), jsonl (the events), or a plug-in's.")],
    out: To = None,
    private: Annotated[bool, typer.Option(
        "--private", help="html: also what no seat was shown: thoughts, raw answers, notes, private fields of moves, and the truth.")] = False,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Write a transcript's argument tree, its events, or its page, in another form. The file of its truth stays where it is."""
    if json and out is None:
        raise UsageError("--json reports on the file that is written: name it with -o (for the tree as JSON: -f json)")
    exporter = _exporter(form)
    if private:
        if getattr(exporter, "private", None) is not False:
            raise UsageError(f"--private is for a form that leaves private words out (html); {form} does not")
        exporter = type(exporter)(private=True)  # type: ignore[call-arg]
    content = exporter.text(frame.opened(path))
    if isinstance(content, str):
        content = (content if content.endswith("\n") else content + "\n").encode()
    if out is None:
        document(content)
        return
    try:
        with open(out, "xb") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(f"{out} exists already; take another name") from None
    except OSError as error:
        raise UsageError(f"cannot write {out}: {error.strerror}") from None
    if json:
        frame.tell_json({"path": str(out), "format": form, "bytes": len(content)})


def cost(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH…", help="Transcripts, or folders of them.")],
    anchor: Annotated[str | None, typer.Option(
        "--anchor", metavar="AGENT", help="An agent known to be safe: how far the play was pushed from it, step by step.")] = None,
    event: Annotated[str | None, typer.Option(
        "--event", metavar="P", help="How probable a bad event is under the anchor, as a number or as K/N, seen K times in N (at 95 %).")] = None,
    per: Annotated[Literal["reply", "play"] | None, typer.Option(
        "--per", help="Of what that is the probability: of one reply, whatever is asked (unless given), or of a whole play.")] = None,
    seat: Annotated[list[str] | None, typer.Option(
        "--seat", "-s", metavar="SEAT", help="Account for this seat or role, whose innermost agent is the anchor.")] = None,
    score: Annotated[bool, typer.Option(
        "--score", help="Ask the anchor, a model, to score the tokens that other models sampled; this calls it.")] = False,
    config: Annotated[Path | None, typer.Option("--config", metavar="FILE", help="TOML with [agents.NAME].")] = None,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Print what a play spent, by seat, against the budgets, and what its verdict is worth; of several plays, and of
    folders, what they cost together, by seat and model. With --anchor, how far it was pushed from an agent that is known to be safe."""
    from moot.agents.money.bill import bill_of, summed

    held = {
        "event": event is not None,
        "seat": seat,
        "score": score,
        "per": per is not None,
        "config": config is not None,
    }
    if anchor is None and (given := [name for name, value in held.items() if value]):
        raise UsageError(f"--{given[0]} is of use with an anchor alone: name it with --anchor")
    if event is None and per is not None:
        raise UsageError(f"--per {per} says of what --event is the probability: give --event")
    pushed: Callable[[Transcript], Pressure] | None = None
    if anchor is not None:
        from moot.agents.spec import agent_from
        from moot.cli.plan import read_config
        from moot.play.pressure import declared, pressure

        declares = None if event is None else declared(event)
        safe = agent_from(anchor, read_config(config))
        pushed = partial(pressure, anchor=safe, seats=seat or None, event=declares, per=per or "reply", score=score)
    if len(paths) > 1 or paths[0].is_dir():
        files = [file for path in paths for file in (_transcripts(path) if path.is_dir() else [path])]
        if not files:
            raise UsageError(f"there is no transcript in {', '.join(map(str, paths))}")
        if pushed is not None:
            _tell_pressures(files, pushed, json)
            return
        bills = [bill_of(frame.opened(path).events()) for path in files]
        _tell_bill(summed(line for bill in bills for line in bill), {"plays": len(files)}, json)
        return
    path = paths[0]
    transcript = frame.opened(path)
    bill = bill_of(transcript.events())
    try:
        guarantee = transcript.guarantee
    except UsageError as error:  # the protocol is not installed here: its measure is unknown, the spending is not
        guarantee = None
        frame.complain(f"no guarantee can be stated: {error}")
    found = None if pushed is None else pushed(transcript)
    if json:
        more = {} if found is None else {"pressure": found}
        frame.tell_json({"path": str(path), "ledger": transcript.ledger, "guarantee": guarantee, "bill": bill, **more})
        return
    from moot.transcripts.display.show import ledger_text

    frame.tell(ledger_text(transcript.ledger, guarantee), end="")
    if found is not None:
        from moot.transcripts.display.pressure import pressure_text

        frame.tell("\n" + pressure_text(found), end="")
    if bill:
        frame.tell()
        _tell_bill(bill, {}, json)


def _tell_pressures(files: Sequence[Path], pushed: Callable[[Transcript], Pressure], json: bool) -> None:
    """How far each of several plays was pushed from an anchor, a line for each, and what all of them together certify."""
    from moot.transcripts.display.pressure import pressures_lines

    found = []
    for path in files:
        found.append((str(path), each := pushed(frame.opened(path))))
        if json:
            frame.tell_json({"path": str(path), "pressure": each})
    if not json:
        frame.tell("\n".join(pressures_lines(found)))


def _transcripts(folder: Path) -> list[Path]:
    from moot.transcripts.index import summaries

    return [found.path for found in summaries(folder)]


def _tell_bill(bill: Sequence[Line], about: dict[str, Any], json: bool) -> None:
    """What models took, a row for each in each seat. What nobody told is said, and in no sum."""
    from moot.complexity.spending import number
    from moot.transcripts.display.show import table

    paid, unknown = sum(line.cost for line in bill), sum(line.unknown for line in bill)
    most = None if any(line.at_most is None for line in bill) else paid + sum(line.at_most or 0 for line in bill)
    cost = paid if not bill or unknown < sum(line.attempts for line in bill) else None  # nothing of it is known
    if json:
        frame.tell_json({**about, "bill": bill, "cost": cost, "unknown": unknown, "at_most": most})
        return
    rows = [
        [
            "seat",
            "model",
            "attempts",
            "prompt",
            "cache read",
            "written",
            "completion",
            "reasoning",
            "cost",
            "untold",
            "unpriced",
        ]
    ]
    for line in bill:
        known = line.cost if line.unknown < line.attempts else None
        rows.append(
            [
                line.seat,
                line.model,
                *map(number, (line.attempts, *line.tokens.values(), known, line.untold, line.unknown)),
            ]
        )
    frame.tell("\n".join(table(rows, left=2)) if bill else "no model was called")
    over = f" over {about['plays']} plays" if about else ""
    frame.tell(
        f"cost{over}: {number(cost)}"
        + (
            f", of which providers stated {number(sum(line.stated for line in bill))}"
            if any(line.stated for line in bill)
            else ""
        )
    )
    if unknown:
        bound = "nobody knows how much" if most is None else f"at most {number(most)} with them"
        frame.tell(f"{unknown} attempt{'s' * (unknown > 1)} of unknown cost come{'s' * (unknown == 1)} on top: {bound}")


def verify(
    paths: frame.TranscriptPaths,
    head: Annotated[str | None, typer.Option(
        "--head", metavar="HEX", help="The head that an earlier check printed: nothing up to it has changed since.")] = None,
    key: frame.Key = None,
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Check transcripts for damage and, against a head or a key kept elsewhere, for changes.

    The hash chain alone shows accidents: who edits a transcript, or cuts its last events off, can make the chain anew. The
    head that is printed stands for every event; --key checks what moot sign wrote.
    """
    from moot.transcripts.replay import verify as verify_now
    from moot.transcripts.signing import read_key

    if head is not None and len(paths) > 1:
        raise UsageError("--head is of one transcript; name that one alone")
    secret = None if key is None else read_key(key)

    def check(path: Path) -> tuple[str, dict[str, Any]]:
        found = verify_now(frame.opened(path), head, secret)
        if found.dropped:
            raise TranscriptError(
                f"{path}: {found.events} whole events, then {found.dropped} bytes that are none: a last write that was cut "
                "off (moot resume takes it up from there), a lost end of line, or something else's; "
                f"head {found.head}"
            )
        state = ("ended" if found.ended else "not ended") + (", as signed" if found.signed else "")
        line = f"{path}: {found.events} events, an unbroken chain, {state}; digest {found.digest}; head {found.head}"
        if found.truth in ("sealed", "elsewhere"):
            line += "; the truth beside it is as it was" if found.truth == "sealed" else "; the truth is not here"
        if found.unknown:
            line += f"; {found.unknown} event{'s' * (found.unknown > 1)} of kinds that this moot does not know"
        return line, {
            name: getattr(found, name) for name in ("events", "ended", "digest", "head", "signed", "unknown", "truth")
        }

    frame.each_of(paths, json, check)


def replay(paths: frame.TranscriptPaths, json: frame.Json = False) -> None:
    """Run the protocol again on the recorded moves and compare every request and event, byte for byte.

    Of a transcript in an older version of the format, the moves and all that follows from them are compared.
    """

    def check(path: Path) -> tuple[str, dict[str, Any]]:
        from moot.transcripts.replay import replay as replay_now

        again = replay_now(frame.runnable(frame.opened(path), "replay"))
        transcript = again.transcript
        steps = sum(1 for _ in transcript.steps())
        ended = transcript.outcome.kind if transcript.outcome is not None else None
        how = ended or "as far as it goes"
        line = f"{path}: {steps} moves replayed to the identical digest {transcript.digest} ({how})"
        if not again.requests_compared:
            line = f"{path}: {steps} moves replayed alike ({how}); requests were not compared: version {transcript.version}"
        return line, {"moves": steps, "outcome": ended, "digest": transcript.digest,
                      "requests_compared": again.requests_compared}  # fmt: skip

    frame.each_of(paths, json, check)


def listing(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A folder of transcripts.")] = Path("runs"),
    json: frame.Json = False,
) -> None:
    """List the transcripts of a folder; no file is read whole."""
    from moot.protocols.text import one_line
    from moot.transcripts.index import summaries

    rows = [["transcript", "question", "protocol", "outcome", "verdict", "kB"]]
    broken = 0
    for found in summaries(folder):
        broken += found.problem is not None
        if json:
            frame.tell_json(found)
            continue
        if found.problem is not None:
            cells = [one_line(found.problem, 70), "", "no transcript", ""]
        else:
            cells = [one_line(found.question or "", 50), found.protocol or "", found.outcome or "not ended",
                     _belief(found.verdict or ())]  # fmt: skip
        rows.append([one_line(found.path.name, 40), *cells, f"{found.size / 1000:.1f}"])
    if not json:
        from moot.transcripts.display.show import table

        frame.tell("\n".join(table(rows, left=4)) if len(rows) > 1 else f"no transcripts in {folder}")
    if broken:
        frame.complain(f"{broken} file{'s' if broken > 1 else ''} cannot be read as transcripts")
        raise typer.Exit(frame.UNDECIDED)


def _belief(verdict: Sequence[float]) -> str:
    """A verdict in a cell: every probability of up to four, of more the number of the most probable choice and its own."""
    from moot.complexity.spending import percent

    if len(verdict) <= 4:
        return " / ".join(map(percent, verdict))
    best = max(range(len(verdict)), key=verdict.__getitem__)
    return f"choice {best}: {percent(verdict[best])}"
