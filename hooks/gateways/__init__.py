"""Who we talk to: one room per vendor's interface, on one door for HTTP, on one pace."""
