"""The tracks table as LanceDB's users read it."""
