"""Benchmarks: `python -m benchmarks.run`.

Rule of this room: a file is a family, whose `rows` measure ratios to something done in the same run, with the most allowed.
"""
