"""What is counted, what may be spent, and what that guarantees."""
