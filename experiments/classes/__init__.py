"""The class table, its witnesses, and known failures.

Rule of this room: evidence by playing and searching instances, never proof; what a protocol claims is said in its file."""
