"""Dead letters sent again: which, as what, how fast."""
