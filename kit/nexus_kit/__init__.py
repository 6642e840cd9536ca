"""How any Nexus service runs: not one word of the domain. Nothing enters before two services need it."""
