"""Questions about numbers and sequences.

Rule of this room: a task a file; no task of another subject, and nothing that more than one subject needs."""
