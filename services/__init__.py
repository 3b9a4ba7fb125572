"""The processes of the house; they share only contracts and never import each other."""
