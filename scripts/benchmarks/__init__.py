"""The performance budget of the design, measured: each figure beside a bare one, both taken in the same run.

Run by `scripts/bench`. What enters: options. What leaves: a table, a JSON file, and an exit code that says whether the
budget is met. Everything happens in one folder that is removed at the end.
"""
