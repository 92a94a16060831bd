"""The Helm chart: what of it is rendered from the code."""
