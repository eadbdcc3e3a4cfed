"""Iterative self-improvement of open language agents: planner, grounder, execution module."""
