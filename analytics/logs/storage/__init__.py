"""The tables of the database and what follows from them."""
