"""A catalog on an object store: its address, its blobs and leases, and a probe that refuses a careless store."""
