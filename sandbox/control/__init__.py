"""The controlling program.  It runs with any Python >= 3.11 and needs only the standard library."""
