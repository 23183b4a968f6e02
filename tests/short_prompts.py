"""Templates of a few words, for plays by the embedded model in which it does not matter how it is asked: on a slow
processor reading the prompt is most of what a turn takes."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

SPEECH = "$asks$question The answer is: $answer. Say why.\n$format"
TEXTS = {
    "record": "Here is what was said.",
    **dict.fromkeys(("debater.system", "consultant.system", "drafting/critic.system"), "You argue."),
    **dict.fromkeys(("judge.system", "judging/judge.system"), "You judge."),
    **{f"{role}.speech{first}": SPEECH for role in ("debater", "consultant") for first in ("", ".first")},
    "propaganda/consultant.speech": SPEECH,
}
_folder = tempfile.TemporaryDirectory(prefix="moot-prompts-")


@cache
def short_prompts() -> Path:
    """A folder with them, for `prompts=`; it is there until the process ends."""
    folder = Path(_folder.name)
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    return folder
