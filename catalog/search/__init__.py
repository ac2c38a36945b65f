"""Search tracks: the query line, its fields, filters and facets."""
