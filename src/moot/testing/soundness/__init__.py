"""The fuzzer of soundness: no verdict whose guarantee holds, with every premise true of the play, is wrong.

Rule of this room: plays are drawn and judged from outside, by what is on the record and by playing again; nothing here is
asked by a play, and what the guarantee says is what is doubted.
"""
