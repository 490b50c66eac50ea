"""What the help desk uses of the world."""
