"""The ear: a model that hears music and reads texts as vectors of one space, and the tags that it hears."""
