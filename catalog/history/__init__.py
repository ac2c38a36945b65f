"""What was requested and what people said of it."""
