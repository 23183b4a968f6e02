"""The commands by name.

Rule of this file: names and order alone; what they do is in the files beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from moot.cli import checkup, evidence, keeping, reading, rerun, running, study, tasking
from moot.cli.frame import guarded, tell
from moot.cli.pages import judge, view
from moot.protocols.engine import __version__

app = typer.Typer(
    name="moot",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 all decided, 1 some did not, 2 usage, 3 moot itself failed, 130 interrupted.",
)


def _version(asked: bool) -> None:
    if asked:
        tell(f"moot {__version__}")
        raise typer.Exit


@app.callback()
@guarded
def moot(
    modules: Annotated[
        list[str] | None,
        typer.Option("--import", metavar="MODULE", help="Import a module that defines protocols of your own."),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Print the version and exit.")
    ] = False,
) -> None:
    """Scalable-oversight protocols as programs: play, record, replay, rejudge and count them."""
    for module in modules or ():
        from moot.agents.program import imported

        imported(module)


_COMMANDS: dict[str, Callable[..., None]] = {
    "run": running.run, "resume": rerun.resume, "fork": rerun.fork, "rejudge": rerun.rejudge, "show": reading.show,
    "tree": reading.tree, "cost": reading.cost, "verify": reading.verify, "replay": reading.replay,
    "export": reading.export, "list": reading.listing, "seal": keeping.seal, "sign": keeping.sign, "import": keeping.import_,
    "protocols": checkup.protocols, "tasks": tasking.tasks, "prompts": tasking.prompts, "classes": evidence.classes, "risk": evidence.risk, "doctor": checkup.doctor,
    "view": view.view,
}  # fmt: skip
for _name, _command in _COMMANDS.items():
    app.command(_name)(guarded(_command))

_reproduce = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Measure published results again.")
for _name, _again in evidence.COMMANDS.items():
    _reproduce.command(_name)(guarded(_again))
app.add_typer(_reproduce, name="reproduce")

_study = typer.Typer(
    no_args_is_help=True, rich_markup_mode=None, help="A grid of plays: run it, take it up, read what it found."
)
for _name, _part in study.COMMANDS.items():
    _study.command(_name)(guarded(_part))
app.add_typer(_study, name="study")

_judge = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="People as judges, at a browser.")
for _name, _part in judge.COMMANDS.items():
    _judge.command(_name)(guarded(_part))
app.add_typer(_judge, name="judge")
for _name in ("results", "report"):
    app.command(_name)(guarded(study.COMMANDS[_name]))
