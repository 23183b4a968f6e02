"""What goes to a worker as a pickle: agents, protocols, questions. No key is ever in one.

Rule of this file: a key reaches a worker by the name of an environment variable of its own, or not at all; what holds one otherwise
is refused here, before anything is sent.
"""

from __future__ import annotations

import io
import os
import pickle
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from moot.agents.models.secrets import SHORT, Secrets, live, secret_name
from moot.protocols.engine.errors import MootError, UsageError, said

if TYPE_CHECKING or find_spec("cloudpickle") is None:
    _Pickler = pickle.Pickler
else:
    from cloudpickle import Pickler as _Pickler


class _Packer(_Pickler):
    def persistent_id(self, value: Any) -> None:
        """Called for each object that is pickled: the key of an endpoint is left out of every pickle, and is to be had again."""
        if isinstance(value, Secrets):
            if value.key and os.environ.get(value.source) != value.key:
                raise UsageError(
                    f"it holds a key that was given as {value.source}, and no key is sent to a worker: give api_key_env= the name of "
                    "an environment variable, and set that where the workers run"
                )
            if value.others:
                raise UsageError(
                    "it holds secret values in base_url, query, headers or extra_body, which are not sent to a worker: have the "
                    "endpoint take a key, by api_key_env="
                )


def packed(value: Any) -> bytes:
    """The pickle of a value. Raises UsageError where it holds a secret of an endpoint, or the value of an environment variable
    that is named as one (`…_KEY`, `…_TOKEN`), and where it cannot be pickled."""
    file = io.BytesIO()
    try:
        _Packer(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    except MootError:
        raise
    except Exception as error:
        more = (
            ""
            if find_spec("cloudpickle")
            else "; what a script or notebook defines itself needs: pip install cloudpickle"
        )
        raise UsageError(f"it cannot be sent to a worker: {type(error).__name__}: {said(error)}{more}") from None
    data = file.getvalue()
    if any(each.inside(data) for each in live()):
        raise UsageError(
            "it holds the key of an endpoint in a place of its own; take it from the environment when it is started"
        )
    for name, held in os.environ.items():
        named = secret_name(name) and len(held) >= SHORT and not os.path.exists(held)  # PWD is a folder
        if named and held.encode("utf-8", "surrogateescape") in data:
            raise UsageError(
                f"it holds the value of the environment variable {name}; read that when it is started, in the worker"
            )
    return data


def each_packed(values: dict[str, Any], whole: Callable[[], Any]) -> bytes:
    """`packed` of a whole, its refusal naming which of the values cannot be sent."""
    try:
        return packed(whole())
    except UsageError as error:
        for name, value in values.items():
            try:
                packed(value)
            except UsageError as own:
                raise UsageError(f"{name}: {own}") from None
        raise UsageError(f"the study: {error}") from None
