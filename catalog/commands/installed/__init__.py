"""Commands about what other packages bring."""
