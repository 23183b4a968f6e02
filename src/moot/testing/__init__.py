"""Test doubles and laws, as public API."""
