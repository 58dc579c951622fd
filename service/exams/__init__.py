"""The exam domain: exam, session, roster, check-in, override, evidence. It knows nothing of HTTP."""
