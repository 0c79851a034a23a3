"""What is printed for a device: its label and the PIN letter."""
