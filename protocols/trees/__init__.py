"""Debates over a tree of claims."""
