"""Read a text: its vector, features, mood, place and time, summary, language."""
