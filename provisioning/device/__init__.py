"""What runs on the device itself while it is provisioned."""
