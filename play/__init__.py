"""Driving a play: seating agents, running, resuming, forking, judging again."""
