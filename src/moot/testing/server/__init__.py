"""A mock OpenAI server."""
