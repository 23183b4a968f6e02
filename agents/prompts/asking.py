"""From a request to messages, and from a text to a move, whoever makes the call: a trainer, a batch, any provider's client.

    prompt = moot.prompt_for(request)
    text = my_client(prompt.messages(), moot.response_format(request))
    move = moot.read_move(text, request)

Rule of this file: nothing is called and nothing is kept; `LM` calls, with these functions.
"""

from __future__ import annotations

from typing import Any

from moot.agents.prompts import Templates
from moot.agents.prompts.forms import Form
from moot.agents.prompts.render import Prompt, escape, render
from moot.agents.prompts.values import UnreadableAnswer
from moot.protocols.engine.moves import Move
from moot.protocols.engine.view import Request


def prompt_for(
    request: Request, *, templates: Templates | None = None, tagged: bool = False, told: bool = True, form: Form | None = None
) -> Prompt:  # fmt: skip
    """The prompt of a request; `.messages()` gives it as chat messages. Reading the view is charged to the request.

    templates: moot's own unless given. tagged: asks for tagged text instead of JSON. told: whether the last lines say in
    words what the form is. form: of the answer, unless it is that of the request. Raises BudgetExceeded where the seat may
    not read so much.
    """
    form = form or Form.of(request)
    return render(request, templates or Templates(), form.told(tagged) if told else "")


def response_format(request: Request) -> dict[str, Any]:
    """The answer's JSON schema as the `response_format` of an OpenAI-compatible call; the schema alone is
    `["json_schema"]["schema"]`."""
    return Form.of(request).response_format()


def read_move(
    text: str, request: Request, *, tagged: bool = False, finish: str | None = None, note: dict[str, Any] | None = None,
    form: Form | None = None,
) -> Move:  # fmt: skip
    """The move that a text is, read as `prompt_for` asked for it. It is of the right kind and form; whether it is legal the
    protocol says.

    finish: "length" where the text was cut off, of which a speech survives. note: takes what was done to read it
    (`renormalised`, `cut`, `dropped`, `thoughts_dropped`). Raises UnreadableAnswer with the reason.
    """
    return (form or Form.of(request)).read(text, tagged, finish, note)


def repair_messages(
    messages: list[dict[str, str]], error: UnreadableAnswer, request: Request, *, templates: Templates | None = None,
    tagged: bool = False, form: Form | None = None,
) -> list[dict[str, str]]:  # fmt: skip
    """The messages of a second try, after an answer to `messages` that could not be read: it is told why."""
    values = {"problem": escape(str(error)), "format": (form or Form.of(request)).told(tagged)}
    problem = (templates or Templates()).fill(["repair"], values)
    if not error.text.strip():  # two user messages in a row are refused by some chat templates
        return [*messages[:-1], {"role": "user", "content": f"{messages[-1]['content']}\n{problem}"}]
    return [*messages, {"role": "assistant", "content": error.text[:4000]}, {"role": "user", "content": problem}]
