"""The synthesizer that needs no weights."""
