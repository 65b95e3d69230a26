"""The HTTP service: requests in, tags out, by the live version."""
