"""The whole suite on one machine without containers: the `nexus` command and the processes it runs."""
