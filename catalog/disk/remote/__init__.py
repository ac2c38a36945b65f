"""Lance tables on an object store, whose commits are conditional writes of Lance itself."""
