"""Commands that serve pages to a browser.

Rule of this room: it imports nothing that takes time until a command runs.
"""
