"""One-time tokens: the secrets in mailed links that prove an address or set a new password."""
