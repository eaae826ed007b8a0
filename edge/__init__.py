"""trunkgate's edge: a SIP proxy that decides which call attempts may pass."""

__version__ = "0.1.0"
