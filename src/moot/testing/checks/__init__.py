"""The laws that every protocol keeps.

Rule of this room: a law looks at plays from outside, through the hand and the driver, and never into a protocol.
"""
