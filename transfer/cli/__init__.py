"""The command line: one module a command group, and the one place where errors become exit codes."""
