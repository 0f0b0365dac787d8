"""``os-retries operation``: what there is of an operation on a cloud, found by the markers of its key.

``kinds`` has the resources that carry markers, ``listing`` finds those of one operation, and ``command`` prints them or
takes their markers off.  Nothing here deletes a resource.
"""
