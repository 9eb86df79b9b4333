"""From bytes to passages, and from a query to ranked passages."""
