"""Who may come in: users and their sessions, one-time links, tokens, an OpenID provider."""
