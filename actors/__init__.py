"""Thin asynchronous shells around the pure core.

The classes here are plain; Ray makes actors of them in one place, `options.py`.
"""
