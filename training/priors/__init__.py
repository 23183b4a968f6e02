"""Training with an earlier version of the model as the overseer's prior, and learning the prior itself.

Rule of this room: every answer, approval and evaluation comes out of a play by the driver, and is read off its transcript.
"""
