"""Keys: what signs access tokens, and what everybody else verifies them with."""
