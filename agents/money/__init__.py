"""Money: what tokens cost, what was paid, and how a run is kept from paying more.

Rule of this folder: nothing here calls a model; who does asks here first, and says afterwards what it took.
"""
