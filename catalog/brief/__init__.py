"""From a text to its brief: which music would serve it."""
