"""The protocols that studies of a mechanism are played by.

Rule of this room: one protocol a file with its moves; what is measured in its plays stands in the study above."""
