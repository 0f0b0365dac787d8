"""``os-retries operation``: the resources of an operation on a cloud, found by the markers of its key.

``kinds`` has the kinds of resources that carry markers, ``listing`` finds the resources of one operation, and
``command`` prints them or removes their markers.  Nothing here deletes a resource.
"""
