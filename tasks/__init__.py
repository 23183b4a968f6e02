"""Questions with known answers, and programs that play protocols about them.

Rule of this room: what a task is, and what all tasks share, stands here; a task is one file in the room of its subject."""
