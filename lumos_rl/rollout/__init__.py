"""Episodes: which are played, the loop that plays them, and Ray around it."""
