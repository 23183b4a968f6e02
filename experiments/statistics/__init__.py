"""Estimates with intervals, ratings and reports.

Rule of this room: it reads records of plays and plays none; what was not decided is counted apart, never as wrong."""
