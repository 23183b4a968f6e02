"""A model against a trusted specification: inputs are drawn, or proposed by an adversary, and what the model does is ruled on.

Rule of this room: the script and its moves; what the rulings say of how probable a failure is, `complexity/estimators` works out.
"""
