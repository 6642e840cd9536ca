"""Mail: a small function per mail, and a folder of templates with the function's name."""
