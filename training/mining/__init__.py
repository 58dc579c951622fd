"""Hard negatives across the whole set, through FAISS."""
