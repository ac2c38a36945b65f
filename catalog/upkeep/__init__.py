"""Keeps a home: spare copies in another folder and the way back from them, and a slow check of what is stored."""
