"""Keeps a home: spare copies of it in another folder, and the way back from them."""
