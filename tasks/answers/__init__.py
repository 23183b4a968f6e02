"""Free answers: checkers that grade a text by the right answer, and what their grades make of a play.

Rule of this folder: only here is the sealed answer of a question without choices opened. No checker evaluates what it is given as
Python, but `code`, which has to be allowed, and says what it does not protect against.
"""
