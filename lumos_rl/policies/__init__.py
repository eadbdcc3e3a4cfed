"""Text generation: one queue-like interface (`base`), and the engines behind it, each in a file of its own."""
