"""The sound of a track while it is made: shaped for listening, shared by its listeners, coded as it comes."""
