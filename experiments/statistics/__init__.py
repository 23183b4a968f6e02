"""Estimates with intervals, ratings and reports."""
