"""Calls in providers' batch files: as many batches as the longest play has turns, none twice after a kill, nothing lost, and what
providers send of it however broken."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import anyio
import pytest
from batch_child import DEBATE, PLAYS, agents, plays
from cli_calls import a_set, call, folder, refused
from players import QUESTION, speak

import moot
from moot.agents.models.apis.choosing import CHAT
from moot.agents.models.batches.batch import Batch
from moot.agents.models.batches.folder import Folder
from moot.agents.models.batches.forms import OPENAI
from moot.agents.models.http.transport import Answer
from moot.testing.server.batches import Batches
from moot.testing.server.faults import Fault
from moot.testing.server.server import MockOpenAI

__all__ = ["folder"]
HERE = Path(__file__).parent
CALLS = 5  # of a debate of two rounds
WAVES = 3


class Served:
    """A mock server with batches, on a socket, and what it was asked."""

    def __init__(self, **options: Any) -> None:
        self.batches = options.setdefault("batches", Batches())
        self.mock = MockOpenAI(**options)
        self.url = ""

    @property
    def sizes(self) -> list[int]:
        return [len(lines) for lines in self.batches.submitted]

    @property
    def bodies(self) -> Counter[str]:
        return Counter(json.dumps(body) for lines in self.batches.submitted for _, body in lines)


@pytest.fixture
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    made = Served(**getattr(request, "param", {}))
    with made.mock.serve() as made.url:
        yield made


def attempts(transcripts: list[moot.Transcript]) -> list[dict[str, Any]]:
    return [event for each in transcripts for event in each.events() if event["event"] == "attempted"]


def decided(transcripts: list[moot.Transcript]) -> int:
    return sum(isinstance(each.outcome, moot.Decided) for each in transcripts)


def test_a_wave_is_a_batch(served: Served, tmp_path: Path) -> None:
    """20 debates of 3 rounds, in which both debaters speak at once: as many batches as one debate has turns."""
    seats = agents(served.url)

    async def whole() -> list[moot.Transcript]:
        ended: list[moot.Transcript] = []

        async def one(seed: int) -> None:
            ended.append(await moot.arun(moot.Debate(rounds=3), QUESTION, seats, seed=seed))

        with moot.Batch(tmp_path, quiet=0.02, poll=(0.005, 0.01)):
            async with anyio.create_task_group() as group:
                for seed in range(20):
                    group.start_soon(one, seed)
        return ended

    ended = anyio.run(whole)
    assert decided(ended) == 20 and served.sizes == [40, 40, 40, 20]
    assert {each["batch"] for each in attempts(ended)} == {"batch-0", "batch-1", "batch-2", "batch-3"}
    assert all(each["prompt_tokens"] and each["ok"] for each in attempts(ended))


def test_anthropics_batches(tmp_path: Path) -> None:
    served = Served()
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url, api="messages"))
    assert decided(ended) == PLAYS and served.sizes == [2 * PLAYS, 2 * PLAYS, PLAYS]
    assert all("system" in body for lines in served.batches.submitted for _, body in lines)


def test_responses_batches(served: Served, tmp_path: Path) -> None:
    assert decided(anyio.run(plays, tmp_path, agents(served.url, api="responses"))) == PLAYS
    assert served.sizes == [2 * PLAYS, 2 * PLAYS, PLAYS]


def test_slow_turns_are_waited_for(served: Served, tmp_path: Path) -> None:
    """A play whose turn is a program's, and takes longer than the quiet time, comes into the same wave; past `wait` it does not."""

    class Slow:
        async def act(self, request: moot.Request) -> moot.Move:
            await anyio.sleep(0.15)
            return speak(request)

    model = agents(served.url)["judge"]

    async def whole(wait: float, folder: Path) -> None:
        with Batch(folder, quiet=0.02, poll=(0.005, 0.01), wait=wait):
            async with anyio.create_task_group() as group:
                for debater in (model, Slow()):
                    group.start_soon(
                        moot.arun, moot.DirectQA(), QUESTION, {"judge": model}
                    ) if debater is model else None
                    group.start_soon(
                        moot.arun, moot.Consultancy(rounds=1), QUESTION, {"consultant": Slow(), "judge": model}
                    )

    anyio.run(whole, 10.0, tmp_path / "a")
    assert served.sizes == [3]
    anyio.run(whole, 0.05, tmp_path / "b")
    assert served.sizes == [3, 1, 2]


# -- kills ---------------------------------------------------------------------------------------------------------------


def test_kills(served: Served, tmp_path: Path) -> None:
    """Killed at every point of a submission, and taken up: no call is submitted twice, and none that is recorded asked again."""
    child = subprocess.Popen(
        [sys.executable, HERE / "batch_child.py", served.url], cwd=HERE, stdin=-1, stdout=-1, text=True
    )
    assert child.stdin is not None and child.stdout is not None
    seats = agents(served.url)
    for where in ("upload", "create", "created", "poll", "results"):
        before, calls = len(served.sizes), served.mock.count
        print(json.dumps([str(tmp_path / where), where]), file=child.stdin, flush=True)
        assert child.stdout.readline() == "-9\n", where
        ended = anyio.run(plays, tmp_path / where, seats)
        assert decided(ended) == PLAYS, where
        assert served.sizes[before:] == [2 * PLAYS, 2 * PLAYS, PLAYS], where
        assert served.mock.count - calls == PLAYS * CALLS, where
    child.stdin.close()
    assert child.wait() == 0


def test_without_a_list_a_lost_id_costs_a_second_submission(tmp_path: Path) -> None:
    """The only way: as the page says."""
    served = Served(batches=Batches(refuse=[0], listed=False))
    with served.mock.serve() as url:
        assert decided(anyio.run(plays, tmp_path, agents(url))) == PLAYS
    assert served.sizes == [2 * PLAYS, 2 * PLAYS, 2 * PLAYS, PLAYS]


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_a_batch_whose_id_was_lost_is_found(api: Any, tmp_path: Path) -> None:
    """It was taken, and answered with a 500: by its tag, or, of Anthropic's, as the one of this size since then."""
    served = Served(batches=Batches(refuse=[None, 0]))
    with served.mock.serve() as url:
        assert decided(anyio.run(plays, tmp_path, agents(url, api=api))) == PLAYS
    assert served.sizes == [2 * PLAYS, 2 * PLAYS, PLAYS]


def test_cancelled_and_taken_up(served: Served, tmp_path: Path) -> None:
    """Ctrl-C leaves the batch with the provider."""
    served.batches.after = 10**9
    seats = agents(served.url)

    async def stopped() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(plays, tmp_path, seats)
            while not served.batches.looks:  # noqa: ASYNC110 - the server is in another thread
                await anyio.sleep(0.005)
            group.cancel_scope.cancel()

    anyio.run(stopped)
    assert served.sizes == [2 * PLAYS]
    served.batches.after = 1
    assert decided(anyio.run(plays, tmp_path, seats)) == PLAYS
    assert served.sizes == [2 * PLAYS, 2 * PLAYS, PLAYS] and set(served.bodies.values()) == {1}


def test_the_one_who_works_may_be_cancelled(served: Served, tmp_path: Path) -> None:
    """Whoever waits next takes over."""
    served.batches.after = 4
    seats = agents(served.url)

    async def whole() -> list[moot.Transcript]:
        ended: list[moot.Transcript] = []
        with Batch(tmp_path, quiet=0.02, poll=(0.02, 0.02)):
            async with anyio.create_task_group() as group, anyio.create_task_group() as first:
                first.start_soon(moot.arun, DEBATE, QUESTION, seats)
                await anyio.sleep(0.005)

                async def second() -> None:
                    ended.append(await moot.arun(DEBATE, QUESTION, seats, seed=1))

                group.start_soon(second)
                while not served.batches.looks:  # noqa: ASYNC110 - the server is in another thread
                    await anyio.sleep(0.005)
                first.cancel_scope.cancel()
        return ended

    assert decided(anyio.run(whole)) == 1 and served.sizes == [4, 2, 1]


# -- lines ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "ended", "refused"),
    [("COMPLETED", True, False), ("canceled", True, False), ("Expired", True, False), ("FAILED", True, True), ("IN_PROGRESS", False, False), (None, False, False)],
)  # fmt: skip
def test_states_in_capitals_are_not_waited_for_without_end(status: Any, ended: bool, refused: bool) -> None:
    place: Any = SimpleNamespace(base_url="", fetch=None, secrets=SimpleNamespace(hide=str))

    async def fetch(*asked: Any) -> Answer:
        return Answer(200, {}, json.dumps({"id": "b", "status": status}).encode(), True)

    place.fetch = fetch
    state = anyio.run(OPENAI.state, place, "b", CHAT)
    assert (state.ended, bool(state.refused)) == (ended, refused)


def _spoilt(lines: list[bytes]) -> list[bytes]:
    """Garbage, lines without meaning, one of another batch, one twice, the second time with an error, and one cut in two."""
    one = json.loads(lines[0])
    failed = {**one, "response": {"status_code": 500, "body": {"error": {"message": "no"}}}}
    other = json.dumps({**one, "custom_id": "somebody-elses"}).encode()
    junk = [
        b"",
        b"\xff\xfe",
        b"null",
        b"[1]",
        b"{}",
        b'{"custom_id": 7}',
        b'{"custom_id": "x", "response": []}',
        b"[" * 5000,
    ]
    return [*junk, json.dumps(failed).encode(), *lines[:-1], other, lines[-1][: len(lines[-1]) // 2]]


def test_broken_results(tmp_path: Path) -> None:
    """What can be read counts; the call whose line cannot be read is made again, and what it took is unknown."""
    served = Served(batches=Batches(broken={0: _spoilt, 1: lambda lines: []}))
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url))
    lost = 1 + served.sizes[1]
    assert decided(ended) == PLAYS and sum(served.sizes) == PLAYS * CALLS + lost
    failed = [each for each in attempts(ended) if not each["ok"]]
    assert len(failed) == lost and all(
        "without a line" in each["error"] and each["prompt_tokens"] is None for each in failed
    )
    ids = {id for lines in served.batches.submitted for id, _ in lines}
    assert len(ids) == sum(served.sizes)


def test_answers_go_to_those_who_asked(served: Served, tmp_path: Path) -> None:
    """Results come in another order, and each is its call's."""
    served.mock.reply = lambda body: {
        "kind": "verdict",
        "text": str(body["seed"]),
        "probabilities": {"1": 0.7, "2": 0.3},
    }
    judge = agents(served.url)["judge"]
    seen: dict[str, str] = {}

    async def whole() -> None:
        async def one(seed: int) -> None:
            transcript = await moot.arun(moot.DirectQA(), QUESTION, {"judge": judge}, seed=seed)
            assert isinstance(transcript.outcome, moot.Decided)
            seen[transcript.outcome.verdict.text] = str(served_seed(transcript))

        with Batch(tmp_path, quiet=0.02, poll=(0.005, 0.01)):
            async with anyio.create_task_group() as group:
                for seed in range(12):
                    group.start_soon(one, seed)

    def served_seed(transcript: moot.Transcript) -> int:
        from moot.protocols.engine.steps import seed_of

        return seed_of(int(transcript.seed), "0") % 2**31

    anyio.run(whole)
    assert served.sizes == [12] and len(seen) == 12 and all(said == asked for said, asked in seen.items())


@pytest.mark.parametrize("api", ["chat", "messages"])
def test_expired_requests_come_into_the_next_wave(api: Any, tmp_path: Path) -> None:
    """They were not worked on, and so took nothing."""
    served = Served(batches=Batches(expired={0: [0, 3], 1: True}))
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url, api=api))
    failed = [each for each in attempts(ended) if not each["ok"]]
    assert decided(ended) == PLAYS and all("expired" in each["error"] and each["prompt_tokens"] == 0 for each in failed)
    assert sum(served.sizes) == PLAYS * CALLS + len(failed) and len(failed) > 2


def test_a_request_that_is_turned_away_comes_into_the_next_wave(tmp_path: Path) -> None:
    served = Served(script=[Fault.rate_limit(), Fault.server_error(), None, Fault.http(503, "busy")])
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url))
    failed = [each["status"] for each in attempts(ended) if not each["ok"]]
    assert decided(ended) == PLAYS and sorted(failed) == [429, 500, 503] and sum(served.sizes) == PLAYS * CALLS + 3


def test_what_is_refused_is_done_otherwise(tmp_path: Path) -> None:
    """As a direct call's refusal is: an endpoint without schemas is asked in another form."""
    served = Served(schema_supported=False)
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url))
    assert decided(ended) == PLAYS and served.sizes[0] == 2 * PLAYS
    assert {each["status"] for each in attempts(ended)} == {200, 400}


def test_a_refusal_for_good_ends_its_play_and_is_not_kept(tmp_path: Path) -> None:
    """One line's 403 is one play's, and once it is allowed the same run goes on."""
    served = Served(script=[Fault.http(403, "not allowed")])
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url))
        assert decided(ended) == PLAYS - 1
        assert ["not allowed" in each.outcome.cause for each in ended if isinstance(each.outcome, moot.Errored)] == [
            True
        ]
        assert decided(anyio.run(plays, tmp_path, agents(url))) == PLAYS


# -- batches that are not taken ------------------------------------------------------------------------------------------


def test_a_full_queue_is_waited_for(tmp_path: Path) -> None:
    """Submissions that are turned away for a while are made again; nothing is lost."""
    served = Served(batches=Batches(refuse=[429, 503, None, 429]))
    with served.mock.serve() as url:
        assert decided(anyio.run(plays, tmp_path, agents(url))) == PLAYS
    assert served.sizes == [2 * PLAYS, 2 * PLAYS, PLAYS]


def test_a_batch_that_is_too_much_at_once_is_halved(tmp_path: Path) -> None:
    """`token_limit_exceeded`, though nothing else is under way."""
    full = [{"code": "token_limit_exceeded", "message": "Enqueued token limit reached for mock.", "line": None}]
    served = Served(batches=Batches(failed={0: full}))
    with served.mock.serve() as url:
        assert decided(anyio.run(plays, tmp_path, agents(url))) == PLAYS
    assert served.sizes == [4, 2, 2, 2, 2, 2]


def test_a_bad_line_is_one_calls(tmp_path: Path) -> None:
    """A batch that fails for one line is submitted again without it."""
    bad = [{"code": "invalid_json_line", "message": "This line is not parseable as valid JSON.", "line": 2}]
    served = Served(batches=Batches(failed={0: bad}))
    with served.mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url))
    assert decided(ended) == PLAYS - 1
    assert ["invalid_json_line" in each.outcome.cause for each in ended if isinstance(each.outcome, moot.Errored)] == [
        True
    ]


@pytest.mark.parametrize(("made", "said"), [
    ({"batches": None}, "say batches = false in its profile"),
    ({"batches": Batches(refuse=[401] * 9)}, "no batches just now"),
    ({"batches": Batches(failed=dict.fromkeys(range(9), [{"code": "model_not_found", "message": "no such model"}]))}, "no such model"),
])  # fmt: skip
def test_what_will_never_be_taken(made: dict[str, Any], said: str, tmp_path: Path) -> None:
    """Each play says why, without a key in it, and nothing is kept that would be found again."""
    mock = MockOpenAI(**made)
    with mock.serve() as url:
        ended = anyio.run(plays, tmp_path, agents(url, api_key="sk-secretsecret"))
    causes = [each.outcome.cause for each in ended if isinstance(each.outcome, moot.Errored)]
    assert len(causes) == PLAYS and all(said in cause for cause in causes) and mock.count == 0
    assert [path.name for path in (tmp_path / "batches").iterdir() if path.suffix != ".jsonl"] == ["lock"] or made[
        "batches"
    ]
    assert not any(b"secretsecret" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_called_directly_where_the_profile_says_so(served: Served, tmp_path: Path) -> None:
    assert decided(anyio.run(plays, tmp_path, agents(served.url, profile={"batches": False}))) == PLAYS
    assert served.sizes == [] and served.mock.count == PLAYS * CALLS


def test_a_body_with_a_secret_is_not_written_to_disk(served: Served, tmp_path: Path) -> None:
    ended = anyio.run(plays, tmp_path, agents(served.url, extra_body={"api_key": "sk-in-the-body"}))
    assert all("put it into headers" in each.outcome.cause for each in ended if isinstance(each.outcome, moot.Errored))
    assert served.sizes == [] and not decided(ended)
    assert not any(b"sk-in-the-body" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())


def test_a_full_disk(served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is submitted that could not be found again; what was is waited for all the same."""
    plain = Folder._put

    def full(self: Folder, path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Folder, "_put", full)
    ended = anyio.run(plays, tmp_path, agents(served.url))
    assert all(
        "nothing was submitted" in each.outcome.cause for each in ended if isinstance(each.outcome, moot.Errored)
    )
    assert served.sizes == [] and not decided(ended)

    def small(self: Folder, path: Path, content: bytes) -> None:
        (full if ".results." in path.name else plain)(self, path, content)

    monkeypatch.setattr(Folder, "_put", small)
    assert decided(anyio.run(plays, tmp_path, agents(served.url))) == PLAYS and served.sizes == [4, 4, 2]


# -- money, folders, options ---------------------------------------------------------------------------------------------


def test_money(served: Served, tmp_path: Path) -> None:
    """Half of the price, where the factor is known; unknown, never 0, where it is not. A cap sets the full price aside."""
    half = moot.Prices(1.0, 4.0, 1.0, batch=0.5)
    events = attempts(anyio.run(plays, tmp_path / "a", agents(served.url, prices=half)))
    for each in events:
        full = (each["prompt_tokens"] + 4 * each["completion_tokens"]) / 1e6
        assert each["cost"] == pytest.approx(full / 2)
    assert {
        each["cost"] for each in attempts(anyio.run(plays, tmp_path / "b", agents(served.url, prices=(1.0, 4.0))))
    } == {None}
    with moot.Cap(0.1) as cap:
        ended = anyio.run(plays, tmp_path / "c", agents(served.url, prices=half, max_tokens=200))
    assert decided(ended) == PLAYS and 0 < cap.spent == pytest.approx(sum(each["cost"] for each in attempts(ended)))


def test_calls_that_wait_for_a_cap_do_not_hold_a_wave_back(served: Served, tmp_path: Path) -> None:
    """Of those that do not fit at the same time, some go first."""
    half = moot.Prices(1.0, 4.0, 1.0, batch=0.5)
    with moot.Cap(0.02) as cap:
        ended = anyio.run(plays, tmp_path, agents(served.url, prices=half, max_tokens=400))
    assert decided(ended) == PLAYS and len(served.sizes) > WAVES and cap.spent < 0.02


def test_a_folder_is_one_processes(tmp_path: Path) -> None:
    with Batch(tmp_path), pytest.raises(moot.UsageError, match="around this already"), Batch(tmp_path / "b"):
        pass
    held = Folder(tmp_path)
    held.open()
    with pytest.raises(moot.UsageError, match="in use by another process"), Batch(tmp_path):
        pass
    held.close()
    (tmp_path / "000007.jsonl").write_text("requests of which nobody knows\n")
    with Batch(tmp_path):
        assert not (tmp_path / "000007.jsonl").exists()
    (tmp_path / "000008.json").write_text("{")
    with pytest.raises(moot.UsageError, match="000008.json.* damaged; move both away"), Batch(tmp_path):
        pass
    (tmp_path / "a file").write_text("")
    with pytest.raises(moot.UsageError, match="cannot be written"), Batch(tmp_path / "a file"):
        pass


@pytest.mark.parametrize("options", [{"quiet": 0}, {"wait": 0.5}, {"most": 0}, {"poll": (0, 1)}, {"poll": (2, 1)}])
def test_options(options: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(moot.UsageError, match="a batch needs"):
        Batch(tmp_path, **options)


def test_at_the_command_line(served: Served, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "__init__", _hasty(Batch.__init__))
    words = ["run", "-P", "direct-qa", "--seat", f"judge=openai:mock@{served.url}", "--batch"]
    done = call(*words, "--set", a_set(3), "-o", "plays")
    assert done.exit_code == 0 and served.sizes == [3], done.stderr
    assert "moot: --batch is for --set" in refused(*words, "--question", "Who?", "--choice", "a", "--choice", "b")


def _hasty(plain: Any) -> Any:
    return lambda self, path: plain(self, path, quiet=0.02, poll=(0.005, 0.01))
