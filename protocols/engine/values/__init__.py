"""What moves and questions hold: JSON values that cannot be changed, and quotes in a text.

Rule of this room: it knows nothing of a play.
"""
