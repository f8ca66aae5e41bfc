"""`python -m transfer`: the same as the command `transfer`."""

from transfer.cli.main import main

if __name__ == "__main__":
    main()
