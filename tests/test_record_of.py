"""A protocol that was recorded can be made again from its record."""

from __future__ import annotations

import pytest

from moot.protocols.debate.consultancy import Consultancy, DirectQA, OpenConsultancy
from moot.protocols.debate.debate import Debate, OpenDebate
from moot.protocols.debate.parts import Feedback, Negotiate, Questions, Speeches
from moot.protocols.engine.base import Protocol, known_protocols, protocol_named, record_of
from moot.protocols.limits import Limit
from moot.protocols.scoring import ScoringRule

PARTS = (Speeches(order="sequential", limit=Limit(words=9)), Feedback(), Questions(limit=Limit(chars=4)), Negotiate())


@pytest.mark.parametrize("protocol", [
    Debate(), Debate(rounds=None, repeat=PARTS), Debate(rounds=0, opening=PARTS, repeat=(), closing=PARTS, swap=True),
    OpenDebate(limit=Limit(chars=5, over="clip")), Consultancy(answer=1, opening=(Feedback(),)), OpenConsultancy(rounds=1),
    DirectQA(source=True, scoring=ScoringRule(rule="brier")),
])  # fmt: skip
def test_a_protocol_is_made_again_from_its_record(protocol: Protocol) -> None:
    record = record_of(protocol)
    again = protocol_named(record["name"], record["params"])
    assert type(again) is type(protocol) and again == protocol and record_of(again) == record


def test_parameters_at_their_defaults_are_not_recorded() -> None:
    assert record_of(Debate()) == {"name": "debate", "params": {}}
    assert record_of(Debate(rounds=None, repeat=PARTS))["params"].keys() == {"rounds", "repeat"}


def test_protocols_that_inherit_their_script_are_known_by_name() -> None:
    assert {"debate", "open-debate", "consultancy", "open-consultancy", "direct-qa"} <= known_protocols().keys()
