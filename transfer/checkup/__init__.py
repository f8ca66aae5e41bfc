"""Does what should hold really hold? Found by trying, for `transfer doctor`."""
