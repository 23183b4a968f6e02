"""Protocols: the engine, what several families share, and one folder for each family.

Rule of this room: pure scripts and their moves. No I/O, no prompts, no clock, no provider.
"""
