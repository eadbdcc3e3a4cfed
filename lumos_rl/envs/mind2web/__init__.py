"""Mind2Web: steps on recorded web pages."""
