"""What a plan is made of: the nodes of each part of a recipe."""
