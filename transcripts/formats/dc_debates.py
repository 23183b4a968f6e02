"""Recursive debates as trees of claims (dc-debates, 2026), as transcripts.

A file holds one tree: the question, under it the answer of each debater, under each claim the argument against it, and
what each debater says to it. It is played as a `TreeDebate`, claim by claim from the root.

Rule: one format, whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, ClassVar

from moot.protocols.engine.errors import UsageError
from moot.protocols.engine.question import Question, Sample
from moot.protocols.trees.tree_debate import ROOT, TreeDebate
from moot.transcripts.formats.importing import Format, Play, Said
from moot.transcripts.formats.records import Given, Record, read

DEEPEST = 100
"""Claims on one path. A transcript holds its record whole, and JSON is read to some 250 levels, two for each claim."""

_LABELS = {
    "": "", "yes": "yes", "no": "no", "no (main objection)": "main objection",
    "no (secondary objection)": "secondary objection", "yes but omits key info": "yes but",
}  # fmt: skip
_CONCLUSION = re.compile(r"Therefore, you should reject \[([^\]]+)\]\.?\s*")
_MOST = 16  # claims that one reaction can announce


class DcDebates(Format):
    """One file, one tree: {"nextId", "root", "defs_and_sources"}, and a node {"id", "text", "debater", "level",
    "parentId", "honest_response", "dishonest_response", "children"}. Other fields are kept; all but id, text, debater
    may be missing."""

    name: ClassVar[str] = "dc-debates"
    about: ClassVar[str] = "recursive debates as argument trees, one JSON file each (dc-debates, 2026)"

    def plays(self, record: Record) -> Iterator[Play]:
        value = record.value
        if not isinstance(value, dict):
            raise UsageError(f"it holds a {type(value).__name__}, not a tree; a tree is an object with a root")
        found: list[str] = []
        nodes = nodes_of(value.get("root", value if "children" in value else None), found)
        root = nodes[0]
        names = list(dict.fromkeys(node.debater for node in nodes[1:]))
        if len(names) > 2:
            raise UsageError(f"its claims are by {', '.join(names)}; an argument tree has two debaters")
        check(nodes, found)
        # files put the honest debater's answer first, so their order must not become that of the seats
        answer = {child.debater: child.text for child in reversed(root.children)}
        names.sort(key=lambda who: (who not in answer, answer.get(who, "")))
        root.children.sort(key=lambda child: names.index(child.debater))
        seats = dict(zip(names, "ab", strict=False))
        about = value.get("defs_and_sources")
        choices = _answers(root, names, found)
        question = Question(root.text, choices, about=about if isinstance(about, str) and about.strip() else None)
        truth = "ab".index(seats["honest"]) if "honest" in seats else None
        turns, moves = _moves(root, seats)
        yield Play(
            TreeDebate(turns="".join(turns)), Sample(question, truth), moves, problems=tuple(found),
            seats={seat: {"agent": "imported"} for seat in seats.values()},
        )  # fmt: skip


@dataclass(eq=False)
class Node:
    """A claim, or the question at the root. responses: what each debater says to it, as one of `Reaction`'s labels."""

    id: str
    text: str
    debater: str
    depth: int
    parent: Node | None
    responses: dict[str, str]
    children: list[Node] = field(default_factory=list)


class _Claim(Given):
    id: Any
    text: str
    debater: str = ""
    level: Any = None
    parentId: Any = None
    children: list[Any] = []


def nodes_of(root: Any, found: list[str]) -> list[Node]:
    """The nodes of a tree, each before those below it, the root first. What is odd about them is added to `found`. Raises
    UsageError on what is no tree."""
    nodes: dict[str, Node] = {}
    parents: list[tuple[Node, Any]] = []
    todo: list[tuple[Any, Node | None]] = [(root, None)]
    while todo:
        value, parent = todo.pop()
        given = read(_Claim, value, "the root" if parent is None else f"a child of node {parent.id}")
        node = _node(given, value, parent, found)
        if node.id in nodes:
            raise UsageError(f"two nodes have the id {node.id}")
        nodes[node.id] = node
        if parent is not None:
            parent.children.append(node)
        if given.parentId is not None:
            parents.append((node, given.parentId))
        if given.level is not None and given.level != node.depth:
            found.append(f"node {node.id}: its level is {given.level!r:.40}; it stands at {node.depth}")
        todo += [(child, node) for child in reversed(given.children)]
    for node, above in parents:
        _check_parent(node, above, nodes, found)
    return list(nodes.values())


def _node(given: _Claim, value: Mapping[str, Any], parent: Node | None, found: list[str]) -> Node:
    name, text = given.id, given.text
    if isinstance(name, bool) or not isinstance(name, (int, str)) or name == "":
        raise UsageError(f"a node has the id {name!r:.40}; an id is a number or a text")
    depth = 0 if parent is None else parent.depth + 1
    if depth > DEEPEST:
        raise UsageError(f"node {name} stands {depth} claims deep; at most {DEEPEST} are read")
    if not text.strip() and parent is None:
        raise UsageError(f"node {name}: the question is empty")
    if parent is not None and not given.debater:
        raise UsageError(f"node {name}: it has no debater")
    responses = {
        who: _label(name, field, value[field], found)
        for field in value
        if isinstance(field, str) and (who := field.removesuffix("_response")) != field
    }
    return Node(str(name), text, given.debater if parent is not None else "", depth, parent, responses)


def _label(name: Any, field: str, given: Any, found: list[str]) -> str:
    """A response as a label; one that is not known is reported, and is none."""
    plain = (
        "" if given is None else " ".join(given.lower().replace(",", " ").split()) if isinstance(given, str) else "?"
    )
    if plain.startswith("yes but"):
        return "yes but"
    if plain not in _LABELS:
        found.append(f"node {name}: its {field} is {given!r:.60}, which is none of the known responses")
    return _LABELS.get(plain, "")


def _check_parent(node: Node, above: Any, nodes: Mapping[str, Node], found: list[str]) -> None:
    if (place := nodes.get(str(above))) is None:
        raise UsageError(f"node {node.id}: its parent {above!r:.40} is not in the file")
    if place is node.parent:
        return
    while place is not None:
        if place is node:
            raise UsageError(f"node {node.id}: its parent {above!r:.40} is itself or stands below it: a circle")
        place = place.parent
    stands = "is the root" if node.parent is None else f"stands under {node.parent.id}"
    found.append(f"node {node.id}: its parent is said to be {above!r:.40}; it {stands}")


def check(nodes: list[Node], found: list[str]) -> None:
    """Report where the recursion does not go into the main objection, and no more than one of an argument."""
    for node in nodes[1:]:
        for debater, group in groupby(node.children, key=lambda child: child.debater):
            claims = list(group)
            label = node.responses.get(debater, "")
            if debater == node.debater:
                found.append(f"node {node.id}: {debater} goes on below its own claim")
            elif label not in ("main objection", "no"):
                said = f"{debater} argues below it ({len(claims)} claims), and says {label or 'nothing'!r} to it"
                found.append(f"node {node.id}: {said}: the recursion does not go into a main objection")
        for claim in node.children:
            if (conclusion := _CONCLUSION.fullmatch(claim.text)) and conclusion[1] != node.id:
                found.append(f"node {claim.id}: it rejects {conclusion[1]}, and stands under {node.id}")
    for node in nodes[1:]:
        deeper = [child.id for child in node.children if child.children]
        if len(deeper) > 1:
            found.append(f"node {node.id}: the recursion goes into {len(deeper)} of its claims ({', '.join(deeper)})")
        for debater in dict.fromkeys(who for child in node.children for who in child.responses):
            main = [child.id for child in node.children if child.responses.get(debater) == "main objection"]
            if len(main) > 1:
                found.append(f"node {node.id}: {debater} has {len(main)} main objections to it ({', '.join(main)})")


def _answers(root: Node, names: list[str], found: list[str]) -> tuple[str, str]:
    """The answer of each debater: its first claim under the question."""
    given = {child.debater: child.text for child in reversed(root.children)}
    answers = []
    for who in (*names, "a second debater")[:2] if names else ("a second debater",) * 2:
        if who not in given:
            found.append(f"the root: there is no answer of {who}")
        answers.append(given[who] if given.get(who, "").strip() else "(no answer)")
    if answers[0] == answers[1]:
        found.append("the root: both debaters give the same answer")
        answers[1] += " (the second debater's)"
    return answers[0], answers[1]


def _moves(root: Node, seats: Mapping[str, str]) -> tuple[list[str], dict[str, list[Said]]]:
    """Whose turn it is, one after the other, and what each seat says: for each node what is said to it, and the claims
    under it; then the same for these, from the first."""
    turns: list[str] = []
    moves: dict[str, list[Said]] = {"a": [], "b": []}
    step, steps, todo = 0, {root.id: ROOT}, [root]
    while todo:
        node = todo.pop()
        said = {who: label for who, label in node.responses.items() if who in seats and label}
        groups: list[tuple[str, list[Node]]] = []
        for debater, group in groupby(node.children, key=lambda child: child.debater):
            claims = list(group)
            groups += [(debater, claims[at : at + _MOST]) for at in range(0, len(claims), _MOST)]
        groups = [(who, []) for who in said if who not in {debater for debater, _ in groups}] + groups
        for debater, claims in groups:
            turns.append(seat := seats[debater])
            reaction = {"to": steps[node.id], "label": said.get(debater, ""), "claims": len(claims)}
            moves[seat].append({"kind": "reaction", **reaction})
            step += 1
            for claim in claims:
                moves[seat].append({"kind": "assertion", "text": claim.text})
                steps[claim.id] = str(step)
                step += 1
        todo += reversed(node.children)
    return turns, moves
