"""Driving a play: seating agents, running, resuming, forking, judging again.

Rule of this room: the only code that awaits the world.
"""
