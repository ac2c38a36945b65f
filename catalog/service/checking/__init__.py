"""What was made is listened to before it is kept; what fails is made once more, and of several takes the best stays."""
