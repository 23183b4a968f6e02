"""People as judges, or in any other seat: who they are, which play is theirs next, what they may see, and what they did.

Rule of this room: a person is shown what the request of their seat shows, for what it costs, and nothing else.
"""
