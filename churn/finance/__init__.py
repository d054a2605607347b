"""The money afterwards: sums over the ledger, what the night finds out, billing in and out."""
