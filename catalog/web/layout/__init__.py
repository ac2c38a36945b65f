"""Where tracks lie on the map, so that they stay there when others are added."""
