"""Sound over HTTP while it is made."""
