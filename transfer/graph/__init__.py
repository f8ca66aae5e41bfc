"""Microsoft Graph: one client per direction over one transport that passes only what that client may do.

    quickxor, records, faults, verbs      what is asked and what is answered, without a network
    throttle, transport, identity         how much, what, and as whom
    session                               asks; reader, writer and lister are built on it, each with its own verbs

Nothing of the SDK, of httpx or of azure is imported before a session is made.
"""
