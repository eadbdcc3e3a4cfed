"""A run: settings, tasks, stages, folder and report."""
