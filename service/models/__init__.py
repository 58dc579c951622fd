"""The models a process has loaded, kept in sync with the database, promoted and rolled back."""
