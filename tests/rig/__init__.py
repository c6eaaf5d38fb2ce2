"""A real Asterisk with phones, a trunk and customers on one machine: built, started, played on and listened to."""
