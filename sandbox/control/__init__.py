"""The controlling program: runs with any Python >= 3.11 and nothing but the standard library."""
