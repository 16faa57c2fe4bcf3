"""A log as sums alone, without rows: kept in the database, or made by another engine where the log lives."""
