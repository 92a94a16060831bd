"""Who may send: one authenticator for each source."""
