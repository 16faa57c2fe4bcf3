"""A file into staged rows, in a process of its own."""
