"""Market making: a market prices what the judge will come to believe.

Rule of this room: scripts, moves and payoffs; it may build on amplification.
"""
