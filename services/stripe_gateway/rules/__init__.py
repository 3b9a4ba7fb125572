"""What is decided without looking anything up: states, words, who may be led where."""
