"""What endpoints take for their models: as users say it, as it was learnt, kept between runs, and found out by asking; and
how a model is asked that takes next to nothing (`small.py`).

Rule of this room: it knows what may be sent; how a call is made and made again is decided in `client.py` and `endpoint.py`.
"""
