"""Who may do what: the kernel's limits on each process, and the children that touch untrusted bytes."""
