"""People at a terminal.

Rule of this room: whatever is shown goes through `terminal.py`, and whatever is typed is checked and asked for again.
"""
