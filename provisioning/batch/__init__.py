"""What a technician's laptop works with: the plan, the office's files, the way to each device."""
