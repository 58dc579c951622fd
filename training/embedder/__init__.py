"""The embedding network: recipe, batches, loop, checkpoints, export."""
