"""What a file's columns mean: guessed, confirmed, converted."""
