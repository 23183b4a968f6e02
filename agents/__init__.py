"""Who can take a seat: anything that turns a request into a move.

Rule of this room: no protocol's rules. An agent reads its request, and what moves say of themselves.
"""
