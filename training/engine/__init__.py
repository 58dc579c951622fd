"""What every training shares: the loop, the optimiser, the run folder and its checkpoints."""
