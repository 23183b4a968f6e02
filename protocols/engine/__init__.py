"""The engine: it runs any protocol one step at a time, synchronously.

Rule of this room: it knows no protocol, agent, task or transcript format, and does no I/O.
"""
