"""What `os-retries run` puts into other programs: ``path/sitecustomize.py`` arrives first, and fetches the rest."""
