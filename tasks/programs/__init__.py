"""Program agents that play any task.

Rule of this room: programs know what a family of questions is, and no task; those of one task stand beside it."""
