"""What endpoints take for their models: as users say it, as it was learnt, kept between runs, and found out by asking.

Rule of this room: it knows what may be sent; when it is sent, and by whom, is decided in `lm.py` and `endpoint.py`.
"""
