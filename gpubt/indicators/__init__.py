"""Indicators: what they are (`definitions`), every bit of them (`reference`), and where they are kept (`cache`)."""
