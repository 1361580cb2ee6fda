"""Bank data through providers that are not reliable."""
