"""The engine: it runs any protocol one step at a time, synchronously.

Rule of this room: it knows no protocol, agent, task or transcript format, and does no I/O.
"""

__version__ = "0.1.0"
"""The version of this moot, low enough that transcripts can name it."""
