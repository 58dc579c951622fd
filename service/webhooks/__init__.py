"""Calling webhooks: which addresses may be called, how a message is signed, and the thread that sends."""
