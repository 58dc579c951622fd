"""HTTP, the exam domain and the pages. Knows FastAPI; knows nothing of torch or faiss."""
