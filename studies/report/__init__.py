"""A study as one page of HTML with its figures.

Rule of this room: figures come from `studies/results`; here they are drawn and put in order. No script, and nothing from elsewhere."""
