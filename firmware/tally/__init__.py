"""From a Reading to a Tally: number grammar, bubbles, rules, what to ask a person."""
