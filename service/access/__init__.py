"""Who may do what: API keys, their scopes, and requests that may be sent twice."""
