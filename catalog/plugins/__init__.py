"""Generators, encoders, readers and renderers that other packages bring: found by their entry points, lazily."""
