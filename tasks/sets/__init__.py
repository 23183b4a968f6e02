"""Question sets: from files and tables of any form to samples.

Rule of this folder: rows are read in `rows.py`, without knowing what a question is; `questions.py` says which column is what. Nothing is
dropped in silence, and nothing is fetched.
"""
