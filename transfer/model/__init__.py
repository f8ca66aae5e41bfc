"""The words of the product: pure types without a file, a socket, a clock or randomness."""
