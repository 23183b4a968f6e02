"""The version of this moot, low enough that transcripts can name it."""

__version__ = "0.1.0"
