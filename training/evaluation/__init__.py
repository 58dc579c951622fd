"""FMR, FNMR, intervals, retrieval, calibration, and the gate between a candidate and the active model."""
