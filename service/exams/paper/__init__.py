"""What was written on a room sheet, typed in afterwards."""
