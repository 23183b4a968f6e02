"""HTTP: the clients that requests are sent by, and answers that are read no further than they may be long.

Rule of this room: one request, one answer, all of it bounded; what an answer means, and whether to ask again, is not known here.
"""
