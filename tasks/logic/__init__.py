"""Questions about formulas, and the files that hold them.

Rule of this room: formulas, their formats, and a solver that finds witnesses."""
