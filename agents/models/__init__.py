"""Language models as agents: the model, its endpoint, and its calls with retries and cache.

Rule of this room: it is about calling; how a request is put into words is in `prompts`.
"""
