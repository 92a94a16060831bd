"""Fan-out and membership: pure rules, and the two processors that host them."""
