"""`moot judge serve|status`: people as judges at a browser, each at a link of their own.

Rule of this file: options and printing; who judges what is decided in `moot.web.judging`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from moot.cli import frame
from moot.protocols.engine.errors import UsageError

if TYPE_CHECKING:
    from moot.studies.study import Study
    from moot.web.judging.office import Office
    from moot.web.judging.rules import Rules

PORT = 8710

Public = Annotated[str | None, typer.Option(
    "--public-url", metavar="URL", help="What browsers ask for where a proxy stands before it: https://judge.example.org")]  # fmt: skip


def serve(
    context: typer.Context,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FOLDER", help="Where plays are recorded; the same one goes on.")],
    what: Annotated[str | None, typer.Argument(
        metavar="STUDY|FOLDER", help="study.toml, module:NAME of a moot.Study, or a folder of plays that are judged again.")] = None,
    people: Annotated[str | None, typer.Option("--people", metavar="NAMES|N", help="Who judges: ann,bob — or how many.")] = None,
    judging: Annotated[Path | None, typer.Option(
        "--judging", metavar="FILE", help="TOML with people, consent, practice, pay, …, as in [judging] of a study.")] = None,
    many: Annotated[str | None, typer.Option("--set", metavar="FILE", help="Many questions, as for moot run.")] = None,
    protocol: Annotated[str | None, typer.Option("--protocol", "-P", metavar="NAME", help="With --set: debate, …")] = None,
    param: Annotated[list[str] | None, typer.Option("-p", "--param", metavar="KEY=VALUE", help="With --set: a parameter.")] = None,
    seat: frame.Seats = None,
    bound: frame.Bounds = None,
    field: Annotated[list[str] | None, typer.Option(
        "--field", metavar="FIELD=COLUMN", help="Which column of --set is what, as for moot run.")] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, metavar="N", help="Only the first N questions of --set.")] = None,
    both: Annotated[bool, typer.Option("--both-seatings", help="With --set: the rivals also in each other's seats.")] = False,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="With --set: decides every coin.")] = None,
    config: frame.Config = None,
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Where to listen; unless given, this machine alone.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, metavar="N", help="0: any that is free.")] = PORT,
    public_url: Public = None,
    behind: Annotated[str | None, typer.Option(
        "--behind", metavar="ADDRESSES", help="Of proxies whose word on who asks is taken: 127.0.0.1,10.0.0.2")] = None,
    prices: frame.Prices = None,
    max_cost: frame.MaxCost = None,
    fsync: frame.Fsync = "ended",
    json: frame.Json = False,
) -> None:  # fmt: skip
    """Have people judge, or sit in any other seat: prints a link for each, and serves their pages until Ctrl-C.

    The plays are those of a study, recorded ones that are judged again, or one arm on the questions of --set.
    """
    from moot.web.server.serving import hosts_of, listening, needed, proxies
    from moot.web.server.serving import serve as serving

    needed()
    import anyio

    from moot.agents.money.price_file import using
    from moot.web.judging.app import judging as pages

    public, behind = _public(public_url), proxies(behind)
    context.with_resource(using(prices))
    options = {
        "set": many,
        "protocol": protocol,
        "param": param,
        "field": field,
        "limit": limit,
        "seed": seed,
        "both-seatings": both or None,
    }
    study = _study(what, options, seat, bound, config)
    office = _office(
        what, study, out, judging, people, {"seat": seat, "bound": bound, "config": config}, fsync, max_cost
    )
    try:
        listener = listening(host, port)
        try:
            _links(office, public or _address(listener), json)
            origins = () if public is None else (public,)
            most = 50 + 5 * len(office.rules.people)  # requests a second of one address, where all of them may be

            async def beside() -> None:
                _done(await office.run(), json)

            anyio.run(
                lambda: serving(
                    pages(office, hosts_of(host, public), origins, most), listener, behind=behind, beside=beside
                )
            )
        except KeyboardInterrupt:
            raise frame.Interrupted(f"stopped; all that was done is kept in {out}; the same command goes on") from None
        finally:
            listener.close()
    finally:
        office.close()


def _public(given: str | None) -> str | None:
    """The origin that is known to the world. Raises UsageError where it is none."""
    from urllib.parse import urlsplit

    if given is None:
        return None
    try:
        found = urlsplit(given)
        port = found.port  # which may be none
    except ValueError:
        found, port = urlsplit(""), None
    if found.scheme not in ("http", "https") or not found.hostname or found.path not in ("", "/") or found.query:
        raise UsageError(f"--public-url is {given!r:.200}; write it as https://judge.example.org, without a path")
    name = f"[{found.hostname}]" if ":" in found.hostname else found.hostname
    return f"{found.scheme}://{name}" + (f":{port}" if port is not None else "")


def _study(
    what: str | None, options: dict[str, Any], seat: list[str] | None, bound: list[str] | None, config: Path | None
) -> Study | None:
    """The study to be had, of one arm for a set of questions; None for a folder of plays."""
    from moot.cli.study import study_at

    if options["set"] is not None:
        if what is not None:
            raise UsageError(f"{what} and --set exclude each other: the set holds the questions")
        return _of_set(options, seat, bound, config)
    if given := next((name for name, value in options.items() if value is not None), None):
        raise UsageError(f"--{given} is for --set FILE")
    if what is None:
        raise UsageError("what is to be judged? give a study, a folder of plays, or --set FILE")
    if Path(what).is_dir():
        return None
    if seat:
        raise UsageError("--seat is for --set: a study says who sits where")
    if bound or config:
        raise UsageError("--bound and --config are for --set and for folders: a study says what its seats may spend")
    if not what.endswith(".toml") and ":" not in what:
        raise UsageError(f"there is no folder {what}; a study is a .toml file, or module:NAME")
    return study_at(what)


def _of_set(options: dict[str, Any], seat: list[str] | None, bound: list[str] | None, config: Path | None) -> Study:
    from moot.cli.plan import fields_from, placed, plan, read_config, seated
    from moot.cli.running import samples_of
    from moot.studies.grid import Arm
    from moot.studies.study import Study

    planned = plan(options["protocol"], options["param"] or (), seat or (), bound or (), options["seed"], config)
    samples = samples_of(
        options["set"], fields_from(options["field"] or (), read_config(config)), None, options["limit"]
    )
    roles = {seat: role for each in samples for seat, role in planned.protocol.roles(each.question).items()}
    seats, bounds = placed(roles, planned.seats, planned.bounds, planned.protocol.name)
    agents = seated(seats, bounds, planned.config)
    return Study(
        f"{planned.protocol.name} on {Path(options['set']).name}", samples, {planned.protocol.name: Arm(planned.protocol, agents)}, seed=planned.seed,
        seatings="both" if options["both-seatings"] else "one",
    )  # fmt: skip


def _rules(study: Study | None, judging: Path | None, people: str | None) -> Rules:
    """What is said of the people: of the study, or of a file of its own, with the names that were typed."""
    from moot.web.judging.rules import Rules, rules_from, rules_in

    told = None if study is None else study.judging
    if told is not None and judging is not None:
        raise UsageError("the study says who judges, in [judging]: leave out --judging, or the table")
    if study is not None and told is not None:
        rules = rules_from(told, study.beside, "judging")
    else:
        rules = rules_in(judging) if judging is not None else Rules()
    if people is None:
        return rules
    if rules.people:
        where = "the study" if judging is None else str(judging)
        raise UsageError(f"{where} says who judges, and --people says it again: leave one of them out")
    given: Any = (
        int(people[:9]) if people.isascii() and people.isdecimal() else [each.strip() for each in people.split(",")]
    )
    named = rules_from({"people": given}, Path(), "--people").people
    return rules.model_copy(update={"people": named})


def _office(
    what: str | None, study: Study | None, out: Path, judging: Path | None, people: str | None, options: dict[str, Any], fsync: Any,
    max_cost: float | None,
) -> Office:  # fmt: skip
    from moot.web.judging.office import Office

    rules = _rules(study, judging, people)
    if study is not None:
        return Office.of_study(study, out, rules, fsync=fsync, max_cost=max_cost)
    if options["seat"]:
        raise UsageError("recorded plays are judged by people: leave out --seat")
    return Office.of_folder(Path(str(what)), out, rules, fsync=fsync, bound=_bound(options))


def _bound(options: dict[str, Any]) -> Callable[[Any], Any] | None:
    """The bound that a judge of recorded plays is put in, where one was typed."""
    from moot.cli.plan import bounds_from, read_config

    found = bounds_from(options["bound"] or (), read_config(options["config"]))
    if other := next((seat for seat in found if seat != "judge"), None):
        raise UsageError(f"--bound {other}.…: of recorded plays the judge alone is asked: judge.reads=…")
    if not found:
        return None
    given: dict[str, Any] = {name: float(text) if name == "seconds" else text for name, text in found["judge"].items()}

    def bounded(judge: Any) -> Any:
        from moot.judges.bounded import Bounded

        return Bounded(judge, **given)

    return bounded


def _address(listener: Any) -> str:
    from moot.web.server.serving import address_of

    return address_of(listener)


def _links(office: Office, begins: str, json: bool) -> None:
    found = {name: f"{begins}{office.link(name)}" for name in office.rules.people}
    if json:
        frame.tell_json({"study": office.name, "address": begins, "links": found})
        return
    frame.tell(f"{office.name}: {len(found)} people; a link is a key, so give each of them theirs alone", line=True)
    for name, link in found.items():
        frame.tell(f"  {name}  {link}", line=True)
    frame.say("Ctrl-C ends it; the same command goes on")


def _done(progress: Any, json: bool) -> None:
    """Say how the work went; the pages stay up."""
    if json:
        frame.tell_json({"cells": progress.cells, "outcomes": progress.outcomes, "how": progress.how, "stopped": progress.stopped,
                         "problems": progress.problems})  # fmt: skip
        return
    for line in (str(progress), *(f"  {each}" for each in progress.problems)):
        frame.tell(line, line=True)
    frame.say("there is no more to do; Ctrl-C ends the pages")


def status(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where the plays are recorded: -o of `moot judge serve`.")
    ],
    truth: Annotated[bool, typer.Option("--truth", help="Say how many each of them had right.")] = False,
    links: Annotated[bool, typer.Option("--links", help="Print everybody's link, and nothing else.")] = False,
    public_url: Public = None,
    json: frame.Json = False,
) -> None:
    """Who has done what, and what is left. Reads the folder alone, also while a server runs."""
    from moot.web.judging.status import links as links_of
    from moot.web.judging.status import status as status_of

    if links:
        found = links_of(folder, _public(public_url) or "")
        if json:
            frame.tell_json({"links": found})
        else:
            for name, link in found.items():
                frame.tell(f"{name}  {link}", line=True)
        return
    told = status_of(folder, truth)
    if json:
        frame.tell_json(told)
        return
    frame.tell(
        f"{told['study']}: {told['done']} of {told['plays']} plays with people done, {told['left']} left", line=True
    )
    for each in told["people"]:
        frame.tell(f"  {_person(each, told['currency'] or '')}", line=True)
    if len(told["kinds"]) > 1:
        for kind in told["kinds"]:
            frame.tell(
                f"  {_kind(kind['kind'])}: {kind['done']} done, {kind['taken']} taken of {kind['plays']}", line=True
            )


def _person(each: dict[str, Any], currency: str) -> str:
    """A person in a line."""
    said = [f"{each['done']} done"]
    said += [f"{len(each['under_way'])} under way"] if each["under_way"] else []
    said += [f"{each['practice']} practice"] if each["practice"] else []
    said += ["seconds unknown" if each["seconds"] is None else f"{each['seconds']:.0f} s"] if each["done"] else []
    said += [f"{each['right']} of {each['scored']} right"] if each["done"] and "right" in each else []
    if each["paid"] is not None:
        said.append(
            f"{each['paid']:.2f} {currency}".strip() + (f" and {each['unpaid']} unknown" if each["unpaid"] else "")
        )
    said.append(f"last {each['last']}" if each["last"] else "has not come")
    return f"{each['person']}: " + ", ".join(said)


def _kind(kind: list[Any]) -> str:
    if not kind:
        return "all"
    arm, *rest = kind
    return " · ".join([str(arm), *(word for word, there in zip(("swapped", "flipped"), rest, strict=False) if there)])


COMMANDS: dict[str, Callable[..., None]] = {"serve": serve, "status": status}
