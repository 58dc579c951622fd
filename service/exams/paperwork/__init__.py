"""The papers that go with an exam: impact assessment, notice, retention, instructions, technical file."""
