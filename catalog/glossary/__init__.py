"""Small dictionaries: texts in other languages, word for word in English."""
