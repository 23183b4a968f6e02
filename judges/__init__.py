"""Who can decide: models, panels, programs, and the bound that wraps any of them.

Rule of this room: judges are agents; nothing here writes a debater's prompt.
"""
