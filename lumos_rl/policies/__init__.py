"""Text generation: one queue-like interface (`base`), and one file per engine that implements it."""
