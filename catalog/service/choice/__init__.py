"""What a person decides over the decision: use this track all the same, or not for this request."""
