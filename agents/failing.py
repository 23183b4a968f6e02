"""What an agent lets out, told apart: a failure of its own, a cancellation from outside, Ctrl-C.

Rule of this file: it judges what was thrown, of whatever class; what becomes of a failure is its caller's to say.

A library may let a cancellation out that nobody outside asked for, or leave one behind that arrives later. Whether one comes
from outside is not seen in its class, but in the scopes around the task: of a task that moot started nobody else has a hold.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from math import inf

import anyio

from moot.protocols.engine.errors import said


def cancelled() -> bool:
    """Whether a scope around the running task is cancelled, or its loop is gone."""
    try:
        return anyio.current_effective_deadline() == -inf
    except RuntimeError:
        return True


def passes(error: BaseException) -> bool:
    """Whether an exception is how a task is told from outside to end. An agent may raise the same by itself."""
    try:
        return isinstance(error, anyio.get_cancelled_exc_class())
    except RuntimeError:  # the loop is gone, and its tasks are closed
        return isinstance(error, GeneratorExit)


def cancellations() -> int:
    """How often the running task was told to end by `task.cancel()`; 0 under trio, which has no such thing."""
    task = _task()
    return 0 if task is None else task.cancelling()


def interrupts(error: BaseException) -> bool:
    """Whether an exception is Ctrl-C, or a group that holds it."""
    if isinstance(error, BaseExceptionGroup):
        return error.subgroup(KeyboardInterrupt) is not None
    return isinstance(error, KeyboardInterrupt)


def contained(error: BaseException, before: int | None = None) -> BaseException:
    """What is to be raised for what an agent let out: itself if it is an Exception, comes from outside, or is Ctrl-C, and a
    RuntimeError that names it otherwise.

    before: `cancellations()` before the agent was called, in a task that others may have a hold of; None in one that moot
    itself started, which is only cancelled through its scopes.
    """
    if interrupts(error):
        return error if isinstance(error, KeyboardInterrupt) else KeyboardInterrupt()
    if isinstance(error, Exception) or cancelled() or (before is not None and cancellations() > before):
        return error
    words = f"{type(error).__name__}: {said(error)}".removesuffix(": ")
    return RuntimeError(f"it let out {words}").with_traceback(error.__traceback__)


async def take_back() -> None:
    """Take back every cancellation of the running task, one that moot started, that does not come from its scopes."""
    task = _task()
    while task is not None and task.cancelling() and not cancelled():
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        task.uncancel()


def _task() -> asyncio.Task[object] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # no loop of asyncio's runs here
        return None
