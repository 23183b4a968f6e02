"""The exporter `minutes`: what was said in a play, and how it ended, as a Markdown list."""

from typing import ClassVar

import moot
from moot.transcripts.exporters.base import Exporter


class Minutes(Exporter):
    name: ClassVar[str] = "minutes"

    def text(self, transcript: moot.Transcript) -> str:
        tree, ended = transcript.tree, transcript.outcome
        lines = [f"# {tree.graph['question']}", ""]
        for above, node in tree.edges:
            seat, text, relation = (
                tree.nodes[node]["seat"],
                tree.nodes[node]["text"],
                tree.edges[above, node]["relation"],
            )
            lines.append(f"- {node}. **{seat}** {relation} {above}: {' '.join(text.split())}")
        shares = ended.verdict.probabilities if isinstance(ended, moot.Decided) else ()
        beliefs = [f"{choice}: {share:.0%}" for choice, share in zip(transcript.question.choices, shares, strict=False)]
        return "\n".join([*lines, "", f"Outcome: {', '.join(beliefs) or 'not decided'}", ""])
