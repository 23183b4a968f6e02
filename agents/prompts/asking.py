"""From a request to messages, and from a text to a move, whoever makes the call: a trainer, a batch, any provider's client.

    prompt = moot.prompt_for(request)
    text = my_client(prompt.messages(), moot.response_format(request))
    move = moot.read_move(text, request)

Rule of this file: nothing is called and nothing is kept; `LM` calls, with these functions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from moot.agents.prompts import Templates
from moot.agents.prompts.forms import Form, told_of
from moot.agents.prompts.reading import TEXT_LIMIT, read
from moot.agents.prompts.render import Prompt, render
from moot.agents.prompts.thinking import parted
from moot.agents.prompts.values import UnreadableAnswer, encodable
from moot.protocols.engine.moves import Move
from moot.protocols.engine.request import Request
from moot.protocols.text import escape, own_words

SHOWN = 4000  # characters of an answer that could not be read, which are shown again


def prompt_for(
    request: Request, *, templates: Templates | None = None, tagged: bool = False, told: bool = True, form: Form | None = None
) -> Prompt:  # fmt: skip
    """The prompt of a request; `.messages()` gives it as chat messages. Reading the view is charged to the request.

    templates: moot's own unless given. tagged: asks for tagged text instead of JSON. told: whether the last lines say in
    words what the form is. form: of the answer, unless it is that of the request. Raises BudgetExceeded where the seat may
    not read so much.
    """
    form = form or Form.of(request)
    return render(request, templates or Templates(), told_of(form, tagged) if told else "")


def response_format(request: Request) -> dict[str, Any]:
    """The answer's JSON schema as the `response_format` of an OpenAI-compatible call; the schema alone is
    `["json_schema"]["schema"]`."""
    return Form.of(request).response_format()


def read_move(
    text: str, request: Request, *, tagged: bool = False, finish: str | None = None, note: dict[str, Any] | None = None,
    form: Form | None = None,
) -> Move:  # fmt: skip
    """The move that a text is. It is of the right kind and form; whether it is legal the protocol says.

    What the model thought is set apart, JSON and tags are read whichever was asked for, and words, a fence or control tokens
    around the move do no harm; what can be read in two ways is refused, as is a move that somebody else wrote and the
    answer quotes. finish: the endpoint's word for why the text ended ("length", "MAX_TOKENS"); a speech that was cut off
    is kept. note: takes what was done to read it (`renormalised`, `cut`, `dropped`) and the `thoughts`. Raises
    UnreadableAnswer with the reason, and nothing else, whatever the text.
    """

    def said() -> Iterable[str]:
        return (entry.move.content() for entry in request.view.opened() if entry.seat != request.seat)

    return read(form or Form.of(request), text, tagged=tagged, finish=finish, note=note, said=said)


def repair_messages(
    messages: list[dict[str, Any]], error: UnreadableAnswer, request: Request, *, templates: Templates | None = None,
    tagged: bool = False, form: Form | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """The messages of a second try, after an answer to `messages` that could not be read: it is told why."""
    form = form or Form.of(request)
    values = {"problem": escape(str(error)), "format": form.told(tagged)}
    problem = (templates or Templates()).repair(values)
    answer = "" if error.overthought else encodable(parted(error.text[:TEXT_LIMIT]).answer[:SHOWN])
    if not answer.strip():  # two user messages in a row are refused by some chat templates
        said = messages[-1]["content"]
        told = f"{said}\n{problem}" if isinstance(said, str) else [*said, {"type": "text", "text": problem}]
        return [*messages[:-1], {**messages[-1], "content": told}]
    own = own_words(answer, form.tags())
    return [*messages, {"role": "assistant", "content": own}, {"role": "user", "content": problem}]
