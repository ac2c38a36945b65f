"""What keeps strangers out: the sessions of browsers that showed the token, and a brake on those who guess it."""
