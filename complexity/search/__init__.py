"""Exact search: the value of a protocol under optimal play, exploitability, fixed points.

Rule of this room: it drives a protocol's own script; no protocol is written again here.
"""
