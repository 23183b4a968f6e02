"""Learners, and the loops that train them through protocols.

Rule of this room: nobody below imports it. Its libraries come with the extra `learn`."""
