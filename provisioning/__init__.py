"""What happens before a device leaves the office, in the order performed (README.md)."""
