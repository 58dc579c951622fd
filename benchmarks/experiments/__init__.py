"""Which change of a training helps: one at a time, at equal samples, on people held out."""
