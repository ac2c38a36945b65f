"""Generators behind an HTTP API: a request goes out, checked audio comes back."""
