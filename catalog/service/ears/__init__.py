"""The ear at work in a catalog: its column filled, tracks heard when they are made, searches by sound."""
