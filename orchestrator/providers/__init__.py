"""Vendors: one adapter file and one error table each, behind one protocol."""
