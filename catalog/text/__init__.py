"""What a text says: encoder, features, mood, setting, summary, language."""
