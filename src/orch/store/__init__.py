"""Where the books are kept: SQLite for real, dictionaries for the simulation."""
