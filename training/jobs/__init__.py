"""The durable retraining job: worker, workflow, lease."""
