"""Operations: a program that is killed and run again makes everything exactly once.

An operation has a key.  Inside it, the marker of a create is derived from the key and the request, so that a later run
can find the resource that an earlier run has made.  ``scope`` says which operation a request belongs to, ``ordinals``
counts equal requests, ``marks`` derives markers, and ``notes`` shows which creates were surely never sent.  Nothing of
``creates`` or ``session`` may be imported here.
"""
