"""Model calls in providers' batch files: gathered, submitted, waited for, and found again after a kill.

Rule of this room: it moves requests and answers in bulk; what an answer means, and whether to ask again, is `endpoint.py`'s.
"""
