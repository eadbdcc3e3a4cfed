"""Plans episodes, plays them in one loop, and distributes that loop with Ray."""
