"""The MNIST experiment of Irving, Christiano and Amodei 2018: two debaters reveal pixels to a judge that sees only those.

Rule of this room: importing it needs no library of an extra, using it numpy; the protocol itself is `pixel-debate`."""
