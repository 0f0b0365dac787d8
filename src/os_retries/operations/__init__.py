"""Operations: a program that is killed and run again makes everything exactly once.

An operation has a key.  Inside it, the marker of a create follows from the key and from the request, so that a later
run can look up what an earlier one has made.  ``scope`` says which operation a request belongs to, ``ordinals`` counts
equal requests, ``marks`` derives markers, and ``notes`` shows what was surely never sent.  Nothing of ``creates`` or
``session`` may be imported here.
"""
