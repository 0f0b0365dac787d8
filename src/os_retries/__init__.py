"""OpenStack calls that fail now and then succeed: every client, one configuration."""
