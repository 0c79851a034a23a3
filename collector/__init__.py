"""The receiving side that a kabupaten or kota runs: verifies, stores once, acknowledges with a signature."""
