"""The ledger of optimisation pressure, as people read it.
Rule of this file: figures in, lines out; nothing is counted here."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

from moot.complexity.pressure.certificate import ASSUMES, Certificate
from moot.complexity.pressure.ledger import Pressure
from moot.protocols.text import one_line, visible
from moot.transcripts.display.show import table

_ROUTES = {
    "draws": "whatever picks one of so many independent draws",
    "ratio": "no outcome becomes more probable by more than the ratio",
    "kl": "the most that so many nats can make of it",
}


def pressure_text(found: Pressure) -> str:
    """What was drawn step by step, what the configuration allows, and what that certifies."""
    rows = [["step", "seat", "attempt", "draws", "ratio", "KL", "kind"]]
    for row in found.rows:
        figures = "" if row.draws is None else str(row.draws), _figure(row.ratio), _figure(row.kl)
        rows.append([row.step, row.seat, str(row.attempt + 1), *figures, row.kind])
    lines = ["pressure, on the path that was played:", *table(rows, left=2)] if found.rows else ["pressure: no row"]
    lines += [f"  {why}" for why in dict.fromkeys(one_line(row.why, 300) for row in found.rows if row.why)]
    if found.rows:
        total = "unknown" if found.estimate is None else f"{found.estimate:.6g} nats"
        lines.append(f"KL at these histories, added up: {total}; it certifies nothing")
    lines += ["", "on any path that the configuration allows:"] if found.seats else []
    for seat in found.seats:
        if seat.why:
            lines.append(f"  {seat.seat}: not bounded: {one_line(seat.why, 300)}")
        else:
            lines.append(
                f"  {seat.seat}: {seat.draws} draws an ask, ratio {_figure(seat.ratio)}, KL {_figure(seat.kl)}; at most "
                f"{seat.asks} asks, repairs included"
            )
    if found.others:
        lines.append(f"  taken as they are: {', '.join(found.others)}")
    if found.certificate is not None:
        lines += ["", *_certificate(found.certificate, [seat.seat for seat in found.seats])]
    return visible("\n".join(lines)) + "\n"


def pressures_lines(found: Sequence[tuple[str, Pressure]]) -> list[str]:
    """Several plays, by name, a line for each; and what they certify together, where all of them do: that none of them lies in the
    event, whatever they have to do with each other (the sum of their bounds)."""
    rows, uppers = [["play", "KL on its path", "at most", "by"]], list[float | None]()
    for name, each in found:
        kl = "unknown" if each.estimate is None else _figure(each.estimate)
        certificate = each.certificate
        if certificate is None:
            rows.append([name, kl, "", ""])
            continue
        uppers.append(certificate.upper)
        rows.append(
            [name, kl, "unknown" if certificate.upper is None else _figure(certificate.upper), certificate.route]
        )
    lines = table(rows)
    why = dict.fromkeys(why for _, each in found if each.certificate for why in each.certificate.refused)
    lines += [f"not certified: {one_line(each, 300)}" for each in why]
    known = [each for each in uppers if each is not None]
    if uppers:
        lines += dict.fromkeys("declared: " + _declared(each.certificate) for _, each in found if each.certificate)
        whole = f"at most {_figure(min(1.0, fsum(known)))}" if len(known) == len(uppers) else "unknown"
        lines.append(f"the event in any of {len(found)} plays: {whole}")
        named = dict.fromkeys(name for _, each in found if each.certificate for name in each.certificate.assumes)
        lines += [f"  assumed: {name}: {ASSUMES[name]}" for name in named]
    return [visible(line) for line in lines]


def _declared(found: Certificate) -> str:
    per = "a reply of the anchor" if found.per == "reply" else "a play with the anchor"
    sure = "" if found.delta is None else f" at most (with a confidence of {1 - found.delta:.4g})"
    return f"an event of probability {found.event:g}{sure} for {per}"


def _certificate(found: Certificate, seats: Sequence[str]) -> list[str]:
    head = f"{_declared(found)}: "
    if found.upper is None:
        return [head + "nothing is certified", *(f"  {one_line(why, 300)}" for why in found.refused)]
    of = f"in any reply of {', '.join(seats)}" if found.per == "reply" else "of a play"
    lines = [f"{head}at most {found.upper:.6g} {of}, by {found.route} ({_ROUTES[found.route]})"]
    others = [f"{name} {bound:.6g}" for name, bound in found.routes.items() if name != found.route]
    return [
        *lines,
        f"  by the other routes: {', '.join(others)}",
        *(f"  assumed: {name}: {ASSUMES[name]}" for name in found.assumes),
    ]


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
