"""Which pixels of a mask belong to one component, and which of its components get a box."""

LARGEST, LARGEST_BOX, ALL, HULL = range(4)

COMPONENTS = {"largest": LARGEST, "largest_box": LARGEST_BOX, "all": ALL, "hull": HULL}
"""Rules by name: the component with most pixels, the one with the greatest box, every one, or one box round
the whole mask. The numbers are how compiled code knows them."""

REACH = {4: 0, 8: 1}
"""By how many columns pixels of neighbouring rows may stand apart and still touch: with 4 neighbours they
share an edge, with 8 a corner suffices."""
