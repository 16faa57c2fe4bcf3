"""One decision, many routers: a writer per config target, each exact or refused."""
