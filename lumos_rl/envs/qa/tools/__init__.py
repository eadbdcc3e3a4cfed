"""Tools of question answering: search, retrieval, reading."""
