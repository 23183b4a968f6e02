"""Exact search over every move of a play."""
