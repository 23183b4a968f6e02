"""Amplification and its relatives: an overseer splits questions, copies of it answer the parts.

Rule of this room: scripts, and the moves that they ask for; it imports the engine and what families share.
"""
