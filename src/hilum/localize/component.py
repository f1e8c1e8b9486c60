"""Which of a mask's components get a box; pixels that touch by an edge or a corner belong together."""

LARGEST, LARGEST_BOX, ALL, HULL = range(4)

COMPONENTS = {"largest": LARGEST, "largest_box": LARGEST_BOX, "all": ALL, "hull": HULL}
"""Rules by name: the component with most pixels, the one with the greatest box, every one, or one box round
the whole mask. The numbers are how compiled code knows them."""
