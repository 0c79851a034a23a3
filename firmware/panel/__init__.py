"""The button, the lamp and the buzzer."""
