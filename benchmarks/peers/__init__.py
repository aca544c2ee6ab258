"""Other ways to do the same work, each as small as its users write it."""
