"""A day of captures in minutes, with faults at random moments: what does the kiosk still hold afterwards?"""
