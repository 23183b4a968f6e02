"""Debates over a tree of claims: recursive debate, decompositions, prover and estimator, bisection.

Rule of this room: one protocol a file; moves that several of them share are in `moves.py`.
"""
