"""What is remembered: events, leases, journal, people; synchronous transactions on any engine."""
