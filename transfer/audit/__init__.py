"""The transfer log: RFC 6962 tree, tlog-tiles layout, signed checkpoints. Its formats, writing and verification."""
