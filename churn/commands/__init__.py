"""What may be asked on the command line, a module a subject: `add` registers its commands, the rest obeys them.

Only the standard library is imported at their tops, so that `--help` answers at once on any machine; a command imports
what it needs when it runs.
"""
