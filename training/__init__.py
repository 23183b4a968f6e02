"""Learners, and the loops that train them through protocols."""
