"""What runs Segwire elsewhere: dashboards, alerts, the Kubernetes chart. No part of the installed package."""
