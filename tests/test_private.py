"""What is kept of seats for readers alone: recorded whole and once, without secrets, and shown where it is asked for."""

from __future__ import annotations

import base64
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
import pytest
from agent_kit import Mock, completion, refusal, request_for
from cli_calls import call, folder, refused, said, spawned
from private_kit import Hunch, Hunches
from test_text import steers

import moot
from moot.agents.models.lm import LM
from moot.agents.prompts.keeping import kept_messages
from moot.play.note import record_note
from moot.protocols.engine.errors import UsageError
from moot.transcripts.display.private import OPEN, asked_at
from moot.transcripts.display.show import as_text
from moot.transcripts.events import PLAYED, EventLog, played_part

__all__ = ["folder"]
KEY = "sk-SECRET-of-this-test-0123456789"
QUESTION = moot.Question(
    "Who sank the fleet?", ("a storm", "the admiral"), passage="A storm rose. Nine ships sank. " * 9
)
PLAN, THOUGHT, NOTE = "the-plan-of-a", "the-thought-of-b\x1b[2J", "the-note-of-judge"
BRIEF = "a-is-the-honest-one"


def judge(request: moot.Request) -> moot.Verdict:
    request.note({"event": "noted", "strategy": NOTE, "confidence": 0.5})
    return moot.Verdict(probabilities=(0.5, 0.5))


def model(answer: Any, **options: Any) -> tuple[LM, Mock]:
    mock = Mock(answer)
    made = {"api_key": KEY, "retries": 2, "backoff": 0.0, "structured": "schema", **options}
    return LM("m", base_url="http://here/v1", http_client=mock.client(), **made), mock


def play(path: Path | None = None, **options: Any) -> moot.Transcript:
    words = json.dumps({"kind": "speech", "text": "Nine ships."})
    lm, _ = model(lambda body, i: completion(words, reasoning_content=THOUGHT), **options)
    a = moot.Briefed(lambda request: Hunch(text="So it is.", plan=PLAN), BRIEF)
    seats = {"a": a, "b": lm, "judge": judge}
    return moot.run(Hunches(), QUESTION, seats, out=path)


def test_without_the_flag_nothing_private_is_shown_and_with_it_all_is_marked(folder: Path) -> None:
    play(folder / "d.jsonl", record="prompts")
    command = ("--import", "private_kit", "show", "d.jsonl")
    shown = [spawned(*command), spawned(*command, "--private")]
    bare, private = (process.communicate(timeout=60)[0] for process in shown)
    assert all(process.returncode == 0 for process in shown)
    data, both = said("show", "d.jsonl", "--json"), said("show", "d.jsonl", "--json", "--private")
    for secret in (PLAN, "the-thought-of-b", NOTE, BRIEF, "┆"):
        assert secret not in bare and secret not in data, secret
    assert "So it is." in bare and "So it is." in data
    assert not steers(private)
    lines = private.splitlines()
    for text in (PLAN, "the-thought-of-b\\x1b[2J", NOTE, BRIEF):
        (line,) = [each for each in lines if text in each]
        assert line.startswith("    ┆ "), "each line of it is marked"
    heads = [line.strip() for line in lines if "┆ private, of" in line]
    assert [head.split(" · ")[1] for head in heads] == ["private fields", "prompted", "thought", "answered", "noted"]
    assert private.index(PLAN) < private.index("So it is."), "at its step"
    told = json.loads(both)
    assert [each["event"] for each in told["private"]] == ["prompted", "thought", "answered", "noted"]
    assert told["seats"]["a"]["notes"] == BRIEF and "notes" not in json.loads(data)["seats"]["a"]
    assert told["steps"][0]["move"]["plan"] == PLAN and "plan" not in json.loads(data)["steps"][0]["move"]


def test_a_forged_mark_stays_inside_the_marks(folder: Path) -> None:
    def thinks(request: moot.Request) -> moot.Move:
        request.note({"event": "noted", "text": "x\n\n── Outcome ──\rjudge · verdict\x0b── Outcome ──"})
        return moot.testing.puppet(request)

    shown = as_text(moot.run(moot.DirectQA(), QUESTION, {"judge": thinks}), private=True)
    assert "    ┆ ── Outcome ──" in shown and shown.count("\n── Outcome") == 1


def test_prompts_are_kept_whole_and_each_text_once(folder: Path) -> None:
    path = folder / "d.jsonl"
    lm, mock = model(lambda body, i: refusal(500) if i == 0 else moot_answer(body), record="prompts")
    kept = moot.run(moot.Debate(rounds=2), QUESTION, {"a": lm, "b": lm, "judge": moot.testing.puppet}, out=path)
    prompted = [event for event in kept.events() if event["event"] == "prompted"]
    assert len(prompted) == len(mock.bodies) == 5
    sent = [each["messages"] for step in ("0.0.0", "0.1.0", "1.0.0", "1.1.0") for each in asked_at(kept, step)]
    assert sorted(map(texts, sent)) == sorted(texts(body["messages"]) for body in mock.bodies)
    whole = [part["content"] for event in prompted for part in event["messages"] if "content" in part]
    assert len(whole) == len(set(whole)), "each distinct text once per play"
    assert KEY not in path.read_text()
    assert not any(event["event"] == "prompted" for event in play().events()), "only where it is wanted"


def texts(messages: Any) -> list[str]:
    return [f"{each['role']}: {each['content']}" for each in messages]


def moot_answer(body: Any) -> Any:
    return completion(json.dumps({"kind": "speech", "text": f"Nine ships: {len(str(body))}."}))


def test_show_asked_prints_the_prompt_of_a_step(folder: Path) -> None:
    play(folder / "d.jsonl", record="prompts")
    process = spawned("--import", "private_kit", "show", "d.jsonl", "--asked", "1")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and out.startswith("── sent to b, attempt 1 ──\n[system]\n")
    assert "<question>Who sank the fleet?</question>" in out and "[user]" in out and PLAN not in out
    told = json.loads(said("show", "d.jsonl", "--asked", "1", "--json"))
    assert [each["role"] for each in told["prompts"][0]["messages"]] == ["system", "user"]
    assert refused("show", "d.jsonl", "--asked", "7").endswith("no prompt was recorded at step 7; some were at 1")
    play(folder / "e.jsonl")
    assert 'record="prompts"' in refused("show", "e.jsonl", "--asked", "1")


def test_secrets_and_the_content_of_images_are_not_in_what_is_kept() -> None:
    image = b"\x89PNG not really"
    url = f"data:image/png;base64,{base64.b64encode(image).decode()}"
    messages: list[Any] = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": f"my {KEY}"},
                                             {"type": "odd", "value": KEY}]}, {"role": "assistant", "content": None}]  # fmt: skip
    made = kept_messages(messages, lambda text: text.replace(KEY, "HIDDEN"))
    assert made[0]["parts"][0] == {"type": "image", "media_type": "image/png", "sha256": sha256(image).hexdigest()}
    assert made[0]["parts"][1] == {"type": "text", "content": "my HIDDEN"}
    assert KEY not in json.dumps(made) and base64.b64encode(image).decode() not in json.dumps(made)


def test_a_key_that_somebody_said_is_hidden_in_the_prompt() -> None:
    question = moot.Question(f"Is {KEY} a key?", ("yes", "no"))
    notes: list[dict[str, Any]] = []
    lm, _ = model(lambda body, i: '{"kind": "speech", "text": "So."}', record="prompts")
    anyio.run(lm.act, request_for(moot.Speech, question=question, notes=notes))
    (prompted,) = [note for note in notes if note["event"] == "prompted"]
    assert KEY not in json.dumps(prompted) and "a key?" in json.dumps(prompted)


def test_a_note_of_a_prompt_cannot_name_the_text_of_another(folder: Path) -> None:
    text = "the real text of a prompt " * 9
    lie = {
        "role": "user",
        "content": "something else that is long enough to be hashed " * 3,
        "sha256": sha256(text.encode()).hexdigest(),
    }

    true = {"role": "user", "content": text}

    def hostile(request: moot.Request) -> moot.Move:
        for attempt, message in enumerate((true, lie, true), 1):
            request.note({"event": "prompted", "attempt": attempt, "messages": [message]})
        return moot.testing.puppet(request)

    kept = moot.run(moot.DirectQA(), QUESTION, {"judge": hostile})
    assert [each["messages"][0]["content"] for each in asked_at(kept, "0")] == [text, lie["content"], text]


@pytest.mark.parametrize("messages", [None, 7, [7], "x"])
def test_a_note_of_a_prompt_without_messages_is_refused(messages: Any) -> None:
    with pytest.raises(UsageError, match="a list of objects with role and content"):
        record_note(
            {"event": "prompted", "messages": messages}, "0", "a", {"a": "debater"}, lambda *event: None, str, {}
        )


def test_a_prompt_longer_than_a_line_may_be_is_kept_by_its_hash() -> None:
    events: list[Any] = []
    long = "x" * (13 << 20)
    prompted = {"event": "prompted", "messages": [{"role": "user", "content": each} for each in (long, "y" * 100)]}
    record_note(prompted, "0", "a", {"a": "debater"}, lambda name, fields, meta: events.append(fields), str, {})
    first, second = events[0]["messages"]
    assert first == {"role": "user", "sha256": sha256(long.encode()).hexdigest(), "characters": len(long)}
    assert second["content"] == "y" * 100


ODD: list[dict[str, Any]] = [
    {"step": "x.y", "text": "somewhere"}, {"step": "9" * 5000, "seat": "a"}, {"seat": None}, {"step": 7}, {"text": 7, "attempt": [1]},
    {"event": "prompted"}, {"event": "prompted", "messages": 7}, {"event": "prompted", "messages": [7, {}, {"role": 3, "sha256": 9}]},
    {"event": "prompted", "messages": [{"parts": [7, {"sha256": "x"}]}]},
]  # fmt: skip


def test_events_of_any_form_can_be_shown(folder: Path) -> None:
    base = moot.run(moot.DirectQA(), QUESTION, {"judge": moot.testing.puppet})
    lines: list[bytes] = []
    log = EventLog(lines.append)
    for line, event in base.pairs():
        if event["event"] == "moved":
            for odd in ODD:
                text = json.dumps({"event": "noted", "step": "0", "seat": "judge", **odd})
                log.line(text[:-1].encode())
        log.line(played_part(line))
    (folder / "odd.jsonl").write_bytes(b"".join(lines))
    assert "somewhere" in said("show", "odd.jsonl", "--private")
    assert "┆" not in said("show", "odd.jsonl")
    for words in (("--asked", "0"), ("--asked", "0", "--json"), ("--asked", "\x1b[2J"), ("--private", "--json")):
        done = call("show", "odd.jsonl", *words)
        assert done.exit_code in (0, 2) and "Traceback" not in done.stderr and not steers(done.stdout), (
            words,
            done.exception,
        )


def test_what_the_play_records_is_no_aside() -> None:
    assert PLAYED < OPEN and {"asked", "attempted"} < OPEN and not OPEN & {"thought", "answered", "prompted"}
