"""`rlgrade quiz lint`: what is wrong with the bank, and whether it can be guessed."""
