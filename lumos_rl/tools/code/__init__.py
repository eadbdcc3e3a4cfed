"""The sandbox that runs Python for a model."""
