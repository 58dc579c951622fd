"""A picture becomes a template: decode, find the face, align, judge its quality, embed."""
