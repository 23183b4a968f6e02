"""Questions about graphs.

Rule of this room: graphs, walks and colours; the games that are played on them are protocols."""
