"""Parts of a table that are damaged, and what is done with them."""
