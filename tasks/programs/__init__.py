"""Program agents that play any task."""
