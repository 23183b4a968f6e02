"""What recorded moves say, in words: one place for the transcript as text, the notebook and the argument tree.

It reads moves as they are recorded, so that they can be shown where their protocol is not installed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_THIN = "\u202f"


def text_of(move: Mapping[str, Any]) -> str:
    """What a recorded move says, as text, for display."""
    said = _long(move)
    if said is None:
        said = _in_a_game(move)
    if said is None:
        said = _with_an_oracle(move)
    if said is None:
        said = _on_words(move)
    if said is not None:
        return said
    text = move.get("text")
    return text if isinstance(text, str) else _plainly(move)


def _long(move: Mapping[str, Any]) -> str | None:
    """Moves that hold parts, or quote others."""
    match move:
        case {"kind": "statement"}:
            return _statement(move)
        case {"kind": "assertion" | "response" | "reaction"}:
            return _argued(move)
        case {"kind": "subquestions", "of": str(question), "questions": [*parts]}:
            return f"{question} asks" + "".join(f"\n({i}) {part}" for i, part in enumerate(parts, 1))
        case {"kind": "decomposition", "of": str(question), "claims": [*parts]}:
            return f"{question} rests on" + "".join(f"\n({i}) {_claim(part)}" for i, part in enumerate(parts, 1))
        case {"kind": "reply", "of": str(question), "answer": str(answer)}:
            return f"{question} → {answer}" if question else answer
        case {"kind": "open", "pointer": str(pointer), "text": str(behind)}:
            return f"{pointer} holds {behind or 'nothing'}"
        case {"kind": "claim", "answer": str(answer), "text": str(text)}:
            return f"{answer}\n{text}".rstrip()
        case {"kind": "query", "question": str(question), "suppose": str(said)}:
            return f"{question}\nSuppose it is said: {said}" if said else question
        case {"kind": "examine", "turn": str(turn), "question": str(question)}:
            return f"to the author of step {turn}: {question}"
    return None


def _in_a_game(move: Mapping[str, Any]) -> str | None:
    """Steps of the games with a claimant, and of the debates about circuits and images."""
    match move:
        case {"kind": "split", "left": int(left), "right": int(right)}:
            return f"the left half sums to {left}, the right half to {right}"
        case {"kind": "dispute", "half": str(half)}:
            return f"the {half} half is wrong"
        case {"kind": "middle", "vertex": int(vertex)}:
            return f"the walk has vertex {vertex} in its middle"
        case {"kind": "half", "half": str(half)}:
            return f"the {half} half is no walk"
        case {"kind": "assign", "variable": int(variable), "value": bool(value)}:
            return f"x{variable} = {'true' if value else 'false'}"
        case {"kind": "go", "vertex": int(vertex)}:
            return f"to vertex {vertex}"
        case {"kind": "stuck"}:
            return "there is nowhere left to go"
        case {"kind": "descend", "which": str(which)}:
            return f"down to the {which} input of the gate"
        case {"kind": "gate-values", "values": [*values]}:
            return f"the values of gates 0 to {len(values) - 1}: {''.join(map(str, values))}"
        case {"kind": "gate-number", "gate": int(gate)}:
            return f"gate {gate} does not follow"
        case {"kind": "pixel", "row": int(row), "column": int(column), "value": int(value)}:
            return f"row {row}, column {column} has the value {value}"
    return None


def _with_an_oracle(move: Mapping[str, Any]) -> str | None:
    """Moves about cells, steps, estimates and coins."""
    match move:
        case {"kind": "examination", "addresses": [*addresses]}:
            return f"asks about {_listed(addresses)}"
        case {"kind": "challenge", "addresses": [*addresses]}:
            return f"the rule is broken at {_listed(addresses)}"
        case {"kind": "probability", "of": str(query), "p": float() | int() as p}:
            return f"Pr({query} = 1) = {p:.6g}{_asked(move)}"
        case {"kind": "check", "accept": bool(accept)}:
            return f"{'accepts' if accept else 'challenges'} it{_asked(move)}"
        case {"kind": "value", "of": str(address), "answer": str(answer)}:
            return f"{address} = {answer}{_asked(move)}"
        case {"kind": "fault", "address": str(address)}:
            return f"{address} does not follow{_asked(move)}"
        case {"kind": "accept"}:
            return f"accepts all values{_asked(move)}"
        case {"kind": "witness", "values": [*values]}:
            return " ".join(map(str, values))
        case {"kind": "estimate", "of": str(claim), "probability": float() | int() as p}:
            return f"{claim} is right with probability {p:.6g}"
        case {"kind": "call", "sign": int(sign)}:
            return {-1: "the estimate is too low", 1: "the estimate is too high"}.get(sign, "the estimate is fine")
        case {"kind": "pick", "claim": str(number)}:
            return "the claim does not follow" if number == "0" else f"claim ({number})"
        case {"kind": "strength", "elo": float() | int() as elo}:
            return f"plays at a domain Elo of {elo:.6g}"
    return None


def _on_words(move: Mapping[str, Any]) -> str | None:
    """Short moves with words in them, and those that only agree."""
    match move:
        case {"kind": "clue", "clue": str(clue), "targets": [*targets]}:
            return f"“{clue}” for {_listed(targets) or 'no word'}"
        case {"kind": "clue-critique", "bad_word": str(bad), "target": str(target)}:
            return f"{bad} is at least as close as {target}"
        case {"kind": "word-comparison", "first": str(first), "second": str(second), "closer": closer}:
            weights = (move.get("first_weight", 1), move.get("second_weight", 1))
            weighted = "" if weights == (1, 1) else f" (weighted {weights[0]} and {weights[1]})"
            return f"{first} is {'' if closer == 'first' else 'not '}closer than {second}{weighted}"
        case {"kind": "concession", "text": str(text)}:
            return text or "gives its answer up"
        case {"kind": "approve"}:
            return "approves"
    return None


def _asked(move: Mapping[str, Any]) -> str:
    """How often the speaker says that it asked the oracle, where it did."""
    queries = move.get("queries")
    if not isinstance(queries, int) or not queries:
        return ""
    return f", after {f'{queries:,}'.replace(',', _THIN)} {'query' if queries == 1 else 'queries'}"


def _listed(parts: Sequence[Any]) -> str:
    return ", ".join(map(str, parts))


def _plainly(move: Mapping[str, Any]) -> str:
    """A move that is not known here, field by field."""
    shown = {key: _value(value) for key, value in move.items() if key != "kind"}
    return ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in shown.items() if value)


def _value(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "", True: "yes", False: "no"}[value]
    if isinstance(value, float):
        return f"{value:.6g}"
    return _listed(value) if isinstance(value, list) else str(value)


def _claim(part: Any) -> str:
    match part:
        case {"question": question, "answer": answer}:
            return f"{question} → {answer}"
    return str(part)  # of a move that was rejected


def _statement(move: Mapping[str, Any]) -> str:
    """A statement with the answer that it claims and what it cites, each citation on a line of its own."""
    from moot.protocols.market.moves import Statement

    try:
        return Statement.model_validate(move).content()
    except ValueError:  # another plug-in's move of that name, or one that was rejected
        return _plainly(move)


def _argued(move: Mapping[str, Any]) -> str:
    """A claim with what it cites, or a response with what it is to."""
    from moot.protocols.trees.moves import KINDS

    try:
        return KINDS[move["kind"]].model_validate(move).content()
    except ValueError:  # likewise
        return _plainly(move)
