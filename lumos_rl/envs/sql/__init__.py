"""InterCode SQL: questions answered with SQL queries."""
