"""Agents made of other agents: best of n, quantilized, conditioned, critique and refine, copies, frozen.

Rule of this room: a wrapper asks the agents that it holds, by requests of its own, and returns one move.
"""
