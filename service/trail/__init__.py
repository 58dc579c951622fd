"""The anchor of the audit trail, and whether trail, anchor and evidence agree."""
