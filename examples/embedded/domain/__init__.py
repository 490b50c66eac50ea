"""What the help desk knows of tickets, and of nothing else."""
