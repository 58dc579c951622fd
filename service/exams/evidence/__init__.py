"""What is kept of an exam: exports, the report, retention, and the pairs worth training on."""
