"""Agents made of other agents: best of n, critique and refine."""
