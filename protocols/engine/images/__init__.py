"""Images that belong to a question: what they are, and how large, read from their first bytes.

Rule of this room: an image is checked when it is given and never decoded; who may see it is for the protocol.
"""
