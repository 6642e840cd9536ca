"""Sessions: a device that is signed in, and the refresh token that keeps it so."""
