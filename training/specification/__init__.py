"""Training against a trusted specification: small networks, the inputs that an adversary finds, and the ratchet.

Rule of this room: networks of our own, whose catastrophes can be enumerated; `ratchet.py` knows no network and no numpy.
"""
