"""What is asked of tracks: the query line, its fields, filters and facets."""
