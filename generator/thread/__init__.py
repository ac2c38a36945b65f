"""The one thread of the process on which generators work, and the line of those that wait for it."""
