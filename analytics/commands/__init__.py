"""One module per group of shell commands; each command turns parsed options into an ``Outcome``."""
