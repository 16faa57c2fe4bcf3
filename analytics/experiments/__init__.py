"""Arms of an experiment compared by assignment: validity, effects, decision, early looks and plans."""
