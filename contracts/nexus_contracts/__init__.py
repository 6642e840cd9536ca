"""Facts that cross a service border: events and access-token claims.

Producers declare them here once; consumers import them. This package imports pydantic and nothing else of weight.
"""
