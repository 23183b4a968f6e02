"""Published results, measured again.

Rule of this room: a paper a file, whose `reproduce` gives a Report: each figure beside the published one, with its seed."""
