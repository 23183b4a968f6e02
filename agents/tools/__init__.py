"""What a model may do within its turn besides answering: look at what its seat may look at, and call tools.

Rule of this room: a look is charged by the view, as everybody's is; nothing here knows an endpoint or a protocol.
"""
