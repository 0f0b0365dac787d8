"""``os-retries simulate``: ``model`` simulates a service and its callers, ``report`` shows the results."""
