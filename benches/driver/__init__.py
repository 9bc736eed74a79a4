"""The driver of the bench: what is run, how it is measured, and the table that comes of it."""
