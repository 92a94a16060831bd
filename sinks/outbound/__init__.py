"""Outbound: the membership goes on to further partners, in the wire format that we ourselves receive."""
