"""What stands behind the office: the people and their links, the queue, the plays, and what is written down of them.

Rule of this room: each part of it does one thing for the office, and none knows a page.
"""
