"""Who makes it: the v3 protocol, its wire forms, the client and downloads."""
