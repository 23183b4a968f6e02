"""Estimators: how probable it is that a model violates its specification, from what was ruled, or from what the model is inside.

Rule of this room: an estimator takes evidence and returns a `Bound` of the kind that it declares, or of a weaker one; no agent is
asked. None is heuristic: one that promises nothing says so, and can certify nothing.
"""
