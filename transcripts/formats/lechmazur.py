"""Debates of language models whose claims cite each other by number (LLM Debate Benchmark, Mazur 2026), as transcripts.

A file is one debate in Markdown: who argues for and against a proposition, then turns of numbered claims such as "[P1.2] …"
in which "[C1.1]" cites an earlier one. It is played as a `TreeDebate` in which all claims stand under the proposition.

Rule: one format, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question
from moot.protocols.trees.tree_debate import TreeDebate
from moot.transcripts.formats.importing import Format, Play, Said
from moot.transcripts.formats.records import Record, content_of, text_of

_TURN = re.compile(r"##\s+Turn\s+(\d+)\s*:\s*(PRO|CON)\b\s*(.*)", re.IGNORECASE)
_FIELD = re.compile(r"-\s+([A-Za-z_]\w*):\s*(.*)")
_CLAIM = re.compile(r"\[([A-Za-z]\d+(?:\.\d+)+)\]\s*(.*)")
_CITED = re.compile(r"\[([^\[\]\n]{1,200})\]")
_ID = re.compile(r"[A-Za-z]\d+(?:\.\d+)+")
_MOST = 16  # claims that one reaction can announce


@dataclass
class Claim:
    """A numbered claim (or text that stands under no number: ""), and the ids that it cites, in order."""

    id: str
    text: str

    @property
    def cited(self) -> tuple[str, ...]:
        found = (id for inside in _CITED.findall(self.text) for id in re.split(r"[,;\s]+", inside))
        return tuple(dict.fromkeys(filter(_ID.fullmatch, found)))

    @property
    def alone(self) -> tuple[str, ...]:
        """The ids that it cites in brackets of their own: the heads of turns list these, and not those in "[P1.1, P1.2]"."""
        return tuple(dict.fromkeys(filter(_ID.fullmatch, _CITED.findall(self.text))))


@dataclass
class Turn:
    """A turn: its number and side (PRO or CON), what it is called, the fields at its head, and its claims."""

    number: int
    side: str
    called: str
    fields: dict[str, str] = field(default_factory=dict)
    claims: list[Claim] = field(default_factory=list)


class Lechmazur(Format):
    """One Markdown file, one debate. A header `- key: value` with a proposition; model_pro and model_con where they are
    known. Then `## Turn 1: PRO Opening`, fields, and claims. The file is kept as text."""

    name: ClassVar[str] = "lechmazur"
    about: ClassVar[str] = "debates of language models with numbered, cited claims, in Markdown (Mazur 2026)"
    suffixes: ClassVar[tuple[str, ...]] = (".md",)

    def records(self, file: Path) -> Iterator[Record | str]:
        yield Record(file.stem, text_of(content_of(file)))

    def plays(self, record: Record) -> Iterator[Play]:
        if not isinstance(record.value, str):
            raise UsageError(f"it is a {type(record.value).__name__}, not the text of a debate")
        header, turns = read(record.value)
        if not header.get("proposition"):
            raise UsageError("its header has no proposition: write `- proposition: …` on a line before the first turn")
        if not turns:
            raise UsageError("it has no turn: there must be a line such as `## Turn 1: PRO Opening`")
        found: list[str] = []
        order, moves = _moves(turns, header, found)
        models = {seat: header.get(f"model_{side}") for seat, side in (("a", "pro"), ("b", "con"))}
        cites = max((len(claim.cited) for turn in turns for claim in turn.claims), default=0)
        yield Play(
            TreeDebate(turns="".join(order), cites=cites),
            Question(header["proposition"], ("PRO", "CON"), id=header.get("topic_id")), moves, problems=tuple(found),
            seats={seat: {"agent": "lm", "model": name} for seat, name in models.items() if name},
        )  # fmt: skip


def read(text: str) -> tuple[dict[str, str], list[Turn]]:
    """The header and the turns of a debate."""
    header, turns, claimed = dict[str, str](), list[Turn](), set[str]()
    fields, body = header, False  # whether the claims of the turn have begun
    for line in text.replace("\r\n", "\n").split("\n"):
        if head := _TURN.fullmatch(line.strip()):
            turns.append(Turn(int(head[1][:9]), head[2].upper(), head[3]))
            fields, body = turns[-1].fields, False
        elif not body and (pair := _FIELD.fullmatch(line.strip())):
            fields.setdefault(pair[1], pair[2].strip())
        elif turns and (body or line.strip()):
            body = True
            _add(turns[-1], line, claimed)
    for turn in turns:
        turn.claims = [Claim(claim.id, claim.text.strip()) for claim in turn.claims if claim.id or claim.text.strip()]
    return header, turns


def _add(turn: Turn, line: str, claimed: set[str]) -> None:
    """A line of a turn: the beginning of a claim, or more of one. A number of the other side, or one that was claimed
    before, begins no claim: it is a citation at the beginning of a line."""
    start = _CLAIM.fullmatch(line.strip())
    own = ids(turn.fields.get("claim_ids"))
    if start and start[1] not in claimed and (start[1] in own or start[1][0].upper() == turn.side[0]):
        claimed.add(start[1])
        turn.claims.append(Claim(start[1], start[2]))
    elif turn.claims:
        turn.claims[-1].text += f"\n{line}"
    else:
        turn.claims.append(Claim("", line))


def ids(given: str | None) -> tuple[str, ...]:
    """The ids in a field such as "[P1.1], [P1.2]"; none in "(none)"."""
    return tuple(dict.fromkeys(_ID.findall(given or "")))


def _moves(turns: list[Turn], header: dict[str, str], found: list[str]) -> tuple[list[str], dict[str, list[Said]]]:
    """Whose turn it is and what each side says; what contradicts itself is added to `found`."""
    order, steps, step = list[str](), dict[str, str](), 0
    moves: dict[str, list[Said]] = {"a": [], "b": []}
    for index, turn in enumerate(turns, 1):
        where = f"turn {turn.number}"
        if turn.number != index:
            found.append(f"{where}: it is turn {index} of the file")
        model = header.get(f"model_{turn.side.lower()}")
        if model and turn.fields.get("model", model) != model:
            found.append(f"{where}: its model is {turn.fields['model']!r:.60}; {turn.side} is argued by {model!r:.60}")
        seat, label = ("a", "yes") if turn.side == "PRO" else ("b", "no")
        missing: list[str] = []
        for at in range(0, max(1, len(turn.claims)), _MOST):
            claims = turn.claims[at : at + _MOST]
            order.append(seat)
            moves[seat].append({"kind": "reaction", "to": "q", "label": label, "claims": len(claims)})
            step += 1
            for claim in claims:
                missing += [id for id in claim.cited if id not in steps]
                cites = tuple(steps.get(id, id) for id in claim.cited)
                text = f"[{claim.id}] {claim.text}".rstrip() if claim.id else claim.text
                moves[seat].append({"kind": "assertion", "text": text, "cites": cites})
                if claim.id:
                    steps[claim.id] = str(step)
                step += 1
        _check(turn, where, missing, found)
    return order, moves


def _check(turn: Turn, where: str, missing: list[str], found: list[str]) -> None:
    """Report where the head of a turn says something else than its claims."""
    if not turn.claims:
        found.append(f"{where}: it says nothing")
    if any(not claim.id for claim in turn.claims):
        found.append(f"{where}: some of it stands under no number")
    own = [claim.id for claim in turn.claims if claim.id]
    cited = [id for claim in turn.claims for id in claim.cited]
    alone = [id for claim in turn.claims for id in claim.alone]
    for name, real, must in (
        ("claim_ids", own, own), ("cited_claim_ids", cited, alone),
        ("missing_claim_id_refs", missing, [id for id in missing if id in alone]),
    ):  # fmt: skip
        if name not in turn.fields:
            continue
        listed = ids(turn.fields[name])
        if unsaid := [id for id in listed if id not in real]:
            found.append(f"{where}: {name} lists {', '.join(unsaid)}, which the turn does not have")
        if unlisted := [id for id in dict.fromkeys(must) if id not in listed]:
            found.append(f"{where}: {name} does not list {', '.join(unlisted)}, which the turn has")
    if missing and "missing_claim_id_refs" not in turn.fields:
        found.append(f"{where}: it cites {', '.join(dict.fromkeys(missing))}, which was not claimed before")
