"""Benchmarks of files: transcripts, the trees folded from them, and sets of questions."""
