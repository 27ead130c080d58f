"""What stands at the other end of the wire in the system tests."""
