"""The live board: events in order, to every viewer."""
