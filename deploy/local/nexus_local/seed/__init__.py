"""The demo data: three logins, and listings that are made up but could be true. `command.py` is where it begins."""
