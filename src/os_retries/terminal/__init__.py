"""The command line in a terminal: the completion scripts for the shells, and what a stream can show.

``make terminal`` writes the scripts from the parsers of the command line.  Nothing of another wing comes in.
"""
