"""Looking into plays that are recorded: lists of them, one as a page, two side by side, one as a file.

Rule of this room: it reads, and writes nothing into a folder that it shows.
"""
