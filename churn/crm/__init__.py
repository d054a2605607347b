"""The company's own data: the contract, its rules, its check, ready mappings onto it."""
