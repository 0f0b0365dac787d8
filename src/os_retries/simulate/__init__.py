"""The policy lab, `os-retries simulate`: ``model`` is the virtual world, ``report`` shows what happened in it."""
