"""The wiring: what runs, what it offers, where it lies. Imports everyone; nobody imports it."""
