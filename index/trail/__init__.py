"""What holds the audit trail from outside the database: the anchor, its lines, and who watches them."""
