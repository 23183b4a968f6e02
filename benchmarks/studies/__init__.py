"""Benchmarks of studies."""
