"""Templates → nearest people: FAISS and the enrolment database."""
