"""The tools of question answering: search, retrieval, reading."""
