"""The program on the kiosk: Press, Frame, Page, Reading, Tally, Record, Receipt and Delivery."""
