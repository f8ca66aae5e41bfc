"""A sender's file name is not a name we write to: it has to go through safe_name()."""

from transfer.model.ends import Recaller


def take_back(recaller: Recaller, untrusted_name: str) -> bool:
    return recaller.recall(untrusted_name)  # refused
