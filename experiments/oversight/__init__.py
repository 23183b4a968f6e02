"""The systems around the protocols, each in closed form, or enumerated, beside plays of it.

Rule of this room: a mechanism a file, whose `reproduce(seed, full, pictures)` gives a Report that ends in what it does not show.
docs/oversight.md has a row for each."""
