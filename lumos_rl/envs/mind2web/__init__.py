"""Mind2Web: predicting steps on recorded web pages."""
