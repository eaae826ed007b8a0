"""Several SIP processes on one address: who owns a message, how it gets there, who keeps the processes running."""
