"""Amplification and its relatives."""
