"""The event log: what is recorded of a play, kept in files, folded, verified and replayed.

Rule of this room: nothing here runs an agent. Everything offered is computed from the events.
"""
