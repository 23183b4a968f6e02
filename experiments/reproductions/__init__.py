"""Published results, measured again."""
