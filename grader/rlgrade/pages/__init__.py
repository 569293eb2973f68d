"""`rlgrade report`: everything that was done, on one page that needs no network."""
