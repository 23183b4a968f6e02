"""What both servers stand on: what is let in and out (`guard.py`), pages from templates (`pages.py`), running one (`serving.py`).

Rule of this room: it knows neither transcripts nor people.
"""
