"""Templates → who is near. FAISS and the enrolment database."""
