"""Request logs: recognised, mapped, read in a child process, stored in DuckDB."""
