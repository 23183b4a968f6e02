"""A mock OpenAI server.

Rule of this room: it plays an endpoint and nothing else; no protocol, move or seat is known here.
"""
