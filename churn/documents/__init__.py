"""What is read rather than clicked: guides, the tour, the handbook, a page to print."""
