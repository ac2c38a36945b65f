"""Music that others made is added to a catalog, and a batch of it is taken out again."""
