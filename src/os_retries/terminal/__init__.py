"""``os-retries completion``: the completion scripts for bash, zsh and fish.

``make terminal`` writes the scripts from the parsers of the command line.  Nothing of another wing comes in.
"""
