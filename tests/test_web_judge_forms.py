"""Forms of moves: there is one for every request of every protocol, and what was filled in is the move, or says what is wrong."""

from __future__ import annotations

from typing import Any

import pytest
from catalogue_kit import OURS, question_for

import moot
from moot.agents.people.browser import Turn
from moot.protocols.engine.moves import Move
from moot.protocols.engine.outcomes import Decided
from moot.web.judging import forms
from moot.web.judging.paper import Paper


class ByForm:
    """An agent whose every move passes through the form of its request: what is read back is what it gives. What a puppet gives and a form
    does not take, a text that would be cut, and an answer that is none of the choices, is put right as a person would have to."""

    def __init__(self) -> None:
        self.same = self.put_right = 0

    def act(self, request: moot.Request) -> Any:
        turn = Turn(request, "runs", lambda: None)
        paper = Paper(turn, {}, "all")
        move, shown = moot.testing.puppet(paper.request), paper.texts
        sheets = forms.sheets(paper.request, shown)
        assert [each.name for each in sheets] == [kind.model_fields["kind"].default for kind in request.kinds]
        sheet = sheets[request.kinds.index(type(move))]
        posted = forms.filled(paper.request, shown, move)
        assert posted.keys() <= {name for field in sheet.fields for name in field.inputs}
        read = forms.read(sheet, posted, paper.request, shown)
        if isinstance(read, dict):
            self.put_right += 1
            for field in sheet.fields:
                if field.id in read and field.meter is not None:
                    posted[field.id] = [field.meter.cut(posted[field.id][0])]
                elif field.id in read:
                    assert field.sort == "choice", read
                    posted[field.id] = [field.options[0][0]]
            read = forms.read(sheet, posted, paper.request, shown)
        else:
            self.same += near(read, move, {field.name for field in sheet.fields})
        assert isinstance(read, Move), (move, read)
        assert paper.answer(read)
        return turn.reply


def near(one: Move, other: Move, asked: set[str]) -> bool:
    """Whether two moves are equal in what a person is asked for, but for the rounding of percentages and blanks at the ends of texts."""
    left, right = one.model_dump(mode="json"), other.model_dump(mode="json")
    assert left.keys() == right.keys()
    for name, value in left.items():
        if name not in asked:
            continue
        if isinstance(value, list) and value and isinstance(value[0], float):
            assert value == pytest.approx(right[name], abs=1e-6)
        elif isinstance(value, str):
            assert value == right[name].strip(), name
        else:
            assert value == right[name], name
    return True


@pytest.mark.parametrize("name", OURS)
def test_every_seat_of_every_protocol_is_played_by_forms(name: str) -> None:
    protocol, question = OURS[name], question_for(name)
    by_form = ByForm()
    roles = protocol.roles(question)
    filled = moot.run(protocol, question, dict.fromkeys(roles, by_form), seed=3)
    plain = moot.run(protocol, question, dict.fromkeys(roles, moot.testing.puppet), seed=3)
    assert type(filled.outcome) is type(plain.outcome), filled.outcome
    assert isinstance(filled.outcome, Decided) or not isinstance(plain.outcome, Decided)
    assert by_form.same > by_form.put_right or "market" in name or "uncopied" in name or "clipped" in name
