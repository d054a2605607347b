"""Policy and authority: rules, their problems, words, differences, cases."""
